"""The checkpoint's text: the same comes out that went in, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint import record as codec
from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import decode, encode
from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.sources.source import Fingerprint
from tests.unit.upload.samples import OWNER, checkpoint_of

TEXT = encode(checkpoint_of([1, 2, 3, 5]))


def forged(change: Callable[[dict[str, Any]], object], text: str = TEXT) -> str:
    """Return a text whose content was changed and its SHA-256 made to match."""
    document = json.loads(text)
    change(document["content"])
    document["sha256"] = codec._digest(codec._canonical(document["content"]))
    return json.dumps(document)


def test_what_goes_in_comes_out() -> None:
    checkpoint = checkpoint_of([1, 2, 3, 5], resumes=3)
    assert decode(encode(checkpoint)) == checkpoint


def test_parts_come_out_in_order() -> None:
    shuffled = checkpoint_of([5, 1, 3, 2])
    assert [part.number for part in decode(encode(shuffled)).parts] == [1, 2, 3, 5]


def test_an_etag_that_is_no_md5_is_kept_as_it_is() -> None:
    odd = RecordedPart(4, "A0EEBC99-9C0B", 2**64 - 1)
    mixed = replace(checkpoint_of([1]), parts=(*checkpoint_of([1]).parts, odd))
    assert decode(encode(mixed)).parts[1] == odd


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    """Damage that leaves the meaning, such as another blank, is no damage."""
    original = decode(TEXT)
    raw = TEXT.encode()
    for position in range(len(raw)):
        for bit in (0, 3, 7):
            damaged = bytearray(raw)
            damaged[position] ^= 1 << bit
            try:
                assert decode(damaged.decode("latin-1")) == original
            except CheckpointError:
                continue


def test_every_cut_is_noticed() -> None:
    for length in range(len(TEXT)):
        with pytest.raises(CheckpointError):
            decode(TEXT[:length])


@pytest.mark.parametrize("schema", [0, 3, 99, "1", None, [1]])
def test_another_schema_is_named(schema: object) -> None:
    other = json.dumps({**json.loads(TEXT), "schema": schema})
    with pytest.raises(CheckpointError, match="this version reads 1 and 2"):
        decode(other)


@pytest.mark.parametrize(
    "text",
    ["", " ", "null", "1", '"text"', "[]", "[1]", "{}", '{"content": 1}', '{"content": {}}', "\x00", "{" * 5000, "NaN"],
)
def test_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="checkpoint"):
        decode(text)


@pytest.mark.parametrize("value", [None, 7, ["a"], {"schema": 1}, b"\xff"])
def test_a_store_that_gives_no_text_gives_no_checkpoint(value: Any) -> None:
    with pytest.raises(CheckpointError):
        decode(value)


@pytest.mark.parametrize("depth", [500, 900, 990, 5000])
def test_deep_nesting_ends_in_our_error(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    with pytest.raises(CheckpointError):
        decode('{"schema": 1, "sha256": "", "content": {"upload_id": ' + nested + "}}")


WRONG: list[Any] = [None, True, 7, 1.5, "text", [], {}, [1], {"a": 1}]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", sorted(json.loads(TEXT)["content"]))
def test_a_field_of_a_wrong_type_is_refused_though_the_hash_matches(name: str, wrong: Any) -> None:
    def change(content: dict[str, Any]) -> None:
        content[name] = wrong

    right = json.loads(TEXT)["content"][name]
    is_number_for_float = isinstance(right, float) and type(wrong) is int
    if is_number_for_float or (type(wrong) is type(right) and not isinstance(right, dict)):
        decode(forged(change))
    else:
        with pytest.raises(CheckpointError):
            decode(forged(change))


@pytest.mark.parametrize("record", ["fingerprint", "owner", "parts"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_nested_field_of_a_wrong_type_is_refused(record: str, wrong: Any) -> None:
    for name, value in json.loads(TEXT)["content"][record].items():

        def change(content: dict[str, Any], name: str = name) -> None:
            content[record][name] = wrong

        if type(value) is not type(wrong) or record == "parts":
            with pytest.raises(CheckpointError):
                decode(forged(change))


@pytest.mark.parametrize("name", sorted(json.loads(TEXT)["content"]))
def test_a_missing_field_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError):
        decode(forged(lambda content: content.pop(name)))


@pytest.mark.parametrize("upload_id", ["", " ", "a b", "a\n", "ä", "\ud800", "x" * 1025])
def test_an_impossible_upload_id_is_none(upload_id: str) -> None:
    """It would end in a refused request on every try, not in a fresh start."""
    with pytest.raises(CheckpointError, match="names no upload"):
        decode(forged(lambda content: content.update(upload_id=upload_id)))


@pytest.mark.parametrize(
    "ranges",
    [
        [[0, 1]],
        [[1, 10_001]],
        [[2, 1]],
        [[1, 2], [2, 3]],
        [[3, 4], [1, 2]],
        [[1, 10_000]] * 1000,
        [[1]],
        [[1, 2, 3]],
        7,
    ],
)
def test_impossible_part_numbers_are_refused(ranges: object) -> None:
    with pytest.raises(CheckpointError):
        decode(forged(lambda content: content["parts"].update(numbers=ranges)))


def test_parts_of_unequal_length_are_refused() -> None:
    with pytest.raises(CheckpointError, match="unequal length"):
        decode(forged(lambda content: content["parts"].update(numbers=[[1, 3]])))


@pytest.mark.parametrize("etag", ["", "a b", "</ETag>\n", "ä"])
def test_an_etag_that_is_no_plain_text_is_refused(etag: str) -> None:
    odd = encode(replace(checkpoint_of(), parts=(RecordedPart(1, "x", 1),)))
    with pytest.raises(CheckpointError):
        decode(forged(lambda content: content["parts"].update(etags=[etag]), odd))


def test_10000_parts_are_small_because_they_are_written_again_and_again() -> None:
    parts = tuple(RecordedPart(number, f"{number:032X}", 2**64 - number) for number in range(1, 10_001))
    text = encode(replace(checkpoint_of(), parts=parts))
    assert len(text) < 33 * 10_000 + 1_000
    assert decode(text).parts == parts


def test_no_secret_has_a_place_in_it() -> None:
    content = json.loads(TEXT)["content"]
    assert sorted(content) == sorted(
        "upload_id endpoint bucket key part_size options_digest source_uri fingerprint owner parts bytes_done "
        "resumes started_at updated_at wrapped_key wrapped_start".split()
    )


def test_the_owner_is_named_so_that_a_person_finds_the_process() -> None:
    assert str(checkpoint_of().owner) == "try 1 (process 1 on host)"


# Written by version 0.1.0: tasks whose worker is updated between two tries find one.
SCHEMA_1 = (
    '{"schema": 1, "sha256": "fedb1695f94c5d1bd151b9b72312bf46e6b8ce941057cce670a904e9335163af", "content": '
    '{"upload_id": "UPLOAD", "endpoint": "https://oss-cn-hangzhou.aliyuncs.com", "bucket": "examplebucket", '
    '"key": "a.csv", "part_size": 1048576, "options_digest": "digest", "source_uri": "file:///exports/a.csv", '
    '"fingerprint": {"size": 5242887, "tag": "then", "strong": false}, "owner": {"dag_id": "dag", "run_id": "run", '
    '"task_id": "task", "map_index": -1, "try_number": 1, "host": "host", "pid": 1, "process_start": "1", '
    '"nonce": "nonce"}, "parts": {"numbers": [[1, 3], [5, 5]], '
    '"etags": "W7WqmsnrwHeL5MCoHEc0lD0PtDTXnAh4QI/p2tkjavCH2XUY9W+gfuRsdtA6br6blHQlqNPmQUNi4fhmlVVVcQ==", '
    '"crc64": "nyXsQuaPeSn9EOrluQykox20J1pWnIOGrkwuKqVlOfs="}, "bytes_done": 4194304, "wrapped_key": "", '
    '"wrapped_start": "", "resumes": 0, "started_at": 1700000000.0, "updated_at": 1700000100.5}}'
)


def test_a_checkpoint_of_version_0_1_0_is_read() -> None:
    assert decode(SCHEMA_1) == checkpoint_of([1, 2, 3, 5])


def test_an_upload_of_equal_parts_is_written_so_that_version_0_1_0_reads_it() -> None:
    written = json.loads(encode(checkpoint_of([1, 2, 3, 5])))
    del written["status"]  # a field that it does not look at
    assert written == json.loads(SCHEMA_1)


RECORDED = (
    RecordedPart(1, "A" * 32, 2**64 - 1, 102_400, 7, '{"last": 17}'),
    RecordedPart(2, "", 5, 5 * 1024**3, 0, ""),
    RecordedPart(4, "B" * 32, 0, 1, 2**64 - 1, "é"),
)


def test_parts_of_unequal_length_are_recorded_with_their_notes() -> None:
    checkpoint = replace(checkpoint_of(), part_size=0, parts=RECORDED)
    text = encode(checkpoint)
    assert json.loads(text)["schema"] == 2
    assert decode(text) == checkpoint


@pytest.mark.parametrize("name", ["lengths", "raw_crc64", "notes", "etags", "crc64", "numbers"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_record_of_unequal_parts_is_refused(name: str, wrong: Any) -> None:
    text = encode(replace(checkpoint_of(), part_size=0, parts=RECORDED))
    with pytest.raises(CheckpointError):
        decode(forged(lambda content: content["parts"].update({name: wrong}), text))


@pytest.mark.parametrize("length", [0, 5 * 1024**3 + 1])
def test_a_length_that_no_part_has_is_refused(length: int) -> None:
    odd = replace(checkpoint_of(), part_size=0, parts=(RecordedPart(1, "A" * 32, 1, length),))
    with pytest.raises(CheckpointError, match="out of bounds"):
        decode(encode(odd))


def test_the_text_begins_with_a_line_for_people() -> None:
    """Airflow shows the text on a tab; without the line it is packed JSON only."""
    checkpoint = checkpoint_of([1, 2, 6], started_at=1_700_000_000.0, owner=replace(OWNER, try_number=3))
    line = "40.0 % of 5.0 MiB uploaded, parts in the bucket: 3, started 2023-11-14 22:13 UTC, try 3"
    assert encode(checkpoint).startswith(json.dumps({"status": line})[:-1])
    whole = replace(checkpoint, bytes_done=checkpoint.fingerprint.size)
    assert "100.0 % of 5.0 MiB uploaded" in encode(whole)


def test_the_line_is_no_part_of_the_checkpoint() -> None:
    document = json.loads(TEXT)
    for changed in ({**document, "status": "something else"}, {k: v for k, v in document.items() if k != "status"}):
        assert decode(json.dumps(changed)) == decode(TEXT)  # the second is a text of version 0.1.0


@pytest.mark.parametrize("started_at", [float("nan"), float("inf"), -1e300, 1e18])
def test_an_impossible_time_is_not_shown_and_fails_nothing(started_at: float) -> None:
    assert '"0.0 % of 5.0 MiB uploaded, parts in the bucket: 0, start unknown, try 1"' in encode(
        checkpoint_of(started_at=started_at)
    )


def test_without_a_known_size_the_line_has_no_percentage() -> None:
    unknown = replace(checkpoint_of([1]), fingerprint=Fingerprint(0, "tag"))
    assert encode(unknown).startswith('{"status": "1.0 MiB uploaded, parts in the bucket: 1, ')
