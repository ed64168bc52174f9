"""The checkpoint's text: the same comes out that went in, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.upload import checkpoint as codec
from airflow_provider_oss_resume.upload.checkpoint import RecordedPart, decode, encode
from tests.unit.upload.samples import checkpoint_of

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


@pytest.mark.parametrize("schema", [0, 2, 99, "1", None, [1]])
def test_another_schema_is_named(schema: object) -> None:
    other = json.dumps({**json.loads(TEXT), "schema": schema})
    with pytest.raises(CheckpointError, match="this version reads 1"):
        decode(other)


@pytest.mark.parametrize(
    "text",
    ["", " ", "null", "1", '"text"', "[]", "[1]", "{}", '{"content": 1}', '{"content": {}}', "\x00", "{" * 5000, "NaN"],
)
def test_what_is_no_checkpoint_is_told_to_be_none(text: str) -> None:
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
