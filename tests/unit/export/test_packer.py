from __future__ import annotations

import gzip

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.cutter import Position, RawPart
from airflow_provider_oss_resume.export.formats.packer import choose_compression
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE
from tests.export.expand import expanded

ROWS = b"a,b\n" * 50_000


@pytest.mark.parametrize("name", [None, "gzip", "zstd"])
def test_parts_expand_to_their_rows_one_after_another(name: str | None) -> None:
    packer = choose_compression(name)
    data = b"".join(packer.pack(RawPart(Position(number=number), ROWS, 50_000)).data for number in (1, 2))
    assert expanded(data, name) == ROWS * 2


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_only_a_last_part_may_be_small(name: str) -> None:
    packer = choose_compression(name)
    assert len(packer.pack(RawPart(Position(), ROWS, 1)).data) >= MIN_PART_SIZE
    assert len(packer.pack(RawPart(Position(), ROWS, 1, is_last=True)).data) < 2_000


def test_the_same_rows_give_the_same_bytes() -> None:
    packer = choose_compression("gzip")
    assert packer.pack(RawPart(Position(), ROWS, 1)) == packer.pack(RawPart(Position(), bytearray(ROWS), 1))
    assert gzip.decompress(packer.pack(RawPart(Position(), ROWS, 1)).data) == ROWS


@pytest.mark.parametrize(("name", "level"), [("gzip", 10), ("zstd", 0), ("lzma", None)])
def test_bad_choices(name: str, level: int | None) -> None:
    with pytest.raises(ConfigurationError):
        choose_compression(name, level)
