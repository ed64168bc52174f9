"""Many checkpoints as one text."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.checkpoint.listing import list_checkpoints
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner, encode
from airflow_provider_oss_resume.checkpoint.record_set import decode_all, decode_set, encode_set
from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.sources.source import Fingerprint


def one(key: str) -> Checkpoint:
    return Checkpoint(
        upload_id={"a": "id-of-a"}.get(key, "id-of-other"),
        endpoint="https://oss-cn-hangzhou.aliyuncs.com",
        bucket="examplebucket",
        key=key,
        part_size=100,
        options_digest="",
        source_uri=f"file:///{key}",
        fingerprint=Fingerprint(1000, "tag"),
        owner=Owner(),
    )


class Held:
    """A store with one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def texts(self) -> list[tuple[str, str]]:
        return [("name", self.text)]

    def remove(self, store_key: str) -> None:
        raise NotImplementedError


BOTH = encode_set({key: encode(one(key)) for key in ("a", "größer/b")})


def test_a_set_names_all_its_uploads() -> None:
    assert [found.upload_id for found in decode_all(BOTH)] == ["id-of-a", "id-of-other"]
    assert set(decode_set(BOTH) or {}) == {"a", "größer/b"}


def test_a_single_checkpoint_is_no_set() -> None:
    assert decode_set(encode(one("a"))) is None
    assert [found.key for found in decode_all(encode(one("a")))] == ["a"]


OTHER = ["", "{}", "[]", "7", '{"batch": 2, "checkpoints": {}}', '{"batch": 1}', "gAAAAA", "[" * 100_000]


@pytest.mark.parametrize("text", OTHER, ids=lambda text: text[:10])
def test_other_texts_are_no_set_and_cannot_be_read(text: str) -> None:
    assert decode_set(text) is None
    with pytest.raises(CheckpointError):
        decode_all(text)


def test_a_set_with_one_that_cannot_be_read_cannot_be_read() -> None:
    with pytest.raises(CheckpointError):
        decode_all(encode_set({"a": encode(one("a")), "b": "torn"}))


def test_a_list_shows_each_upload_of_a_set() -> None:
    listed = list(list_checkpoints(Held(BOTH)))  # type: ignore[arg-type]  # any iterable will do
    assert [(found.store_key, found.checkpoint and found.checkpoint.key, found.problem) for found in listed] == [
        ("name", "a", ""),
        ("name", "größer/b", ""),
    ]
