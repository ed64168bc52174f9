from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import CheckpointError, ConfigurationError
from airflow_provider_oss_resume.export.part_note import PartNote, decode_note


@pytest.mark.parametrize(
    "note",
    [
        PartNote(3, 20),
        PartNote(1, 2, ("2024-06-01", "é'\n"), is_last=True),
        PartNote(2**40, 2**50, ("",), footer=bytes(range(256))),
    ],
)
def test_a_note_comes_back(note: PartNote) -> None:
    assert decode_note(note.encode()) == note


def test_a_usual_note_is_short() -> None:
    assert len(PartNote(76_543, 8_388_608, ("1234567890",)).encode()) < 50


def test_a_long_key_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="shorter values in order_by"):
        PartNote(1, 70_000, ("x" * 70_000,)).encode()


@pytest.mark.parametrize("text", ["", "row 7", "[]", "[1,2,3,4,5]", '[1,2,null,0,"AAAA"]', '["a",2,null,0,""]'])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        decode_note(text)
