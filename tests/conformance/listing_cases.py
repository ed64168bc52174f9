"""What every place must do that lists checkpoints.

Each case gets a place that holds these two texts and nothing else, whatever their store keys are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.listing import ListableStore, StoredCheckpoint, list_checkpoints
from airflow_provider_oss_resume.checkpoint.record import Owner, OwnerProcess, decode, encode
from tests.unit.upload.samples import checkpoint_of

OWNERS = (
    Owner("dag", "run/1 ö", "group.task", 3, 2, OwnerProcess("host", 1, "1", "nonce")),
    Owner("other", "run", "task"),
)
TEXTS = (
    encode(checkpoint_of([1, 2], upload_id="ONE", owner=OWNERS[0])),
    encode(checkpoint_of(upload_id="TWO", owner=OWNERS[1], key="b.csv")),
)


def listed(place: ListableStore) -> dict[str, StoredCheckpoint]:
    """Return what can be read, by upload id."""
    return {one.checkpoint.upload_id: one for one in list_checkpoints(place) if one.checkpoint is not None}


def each_is_listed_with_who_what_and_since_when(place: ListableStore) -> None:
    found = listed(place)
    assert sorted(found) == ["ONE", "TWO"]
    assert [one.problem for one in found.values()] == ["", ""]
    for upload_id, text in zip(("ONE", "TWO"), TEXTS, strict=True):
        assert found[upload_id].checkpoint == replace(decode(text), parts=())


def a_listed_key_is_of_one_checkpoint_and_stays_the_same(place: ListableStore) -> None:
    keys = {found.store_key for found in list_checkpoints(place)}
    assert len(keys) == 2
    assert {store_key for store_key, _ in place.texts()} == keys


def a_removed_checkpoint_is_gone_and_the_other_stays(place: ListableStore) -> None:
    gone = listed(place)["ONE"].store_key
    place.remove(gone)
    place.remove(gone)  # is no error
    assert list(listed(place)) == ["TWO"]


def a_checkpoint_may_be_removed_while_they_are_listed(place: ListableStore) -> None:
    for found in list_checkpoints(place):
        place.remove(found.store_key)
    assert list(place.texts()) == []


CASES: dict[str, Callable[[ListableStore], None]] = {
    case.__name__: case
    for case in (
        each_is_listed_with_who_what_and_since_when,
        a_listed_key_is_of_one_checkpoint_and_stays_the_same,
        a_removed_checkpoint_is_gone_and_the_other_stays,
        a_checkpoint_may_be_removed_while_they_are_listed,
    )
}
