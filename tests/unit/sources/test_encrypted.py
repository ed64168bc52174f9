"""The encrypted source: never two ciphertexts at one offset, and memory for parts in flight alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from airflow_provider_oss_resume.exceptions import SourceChangedError
from airflow_provider_oss_resume.oss.client_encryption.encryption import ContentKey
from airflow_provider_oss_resume.sources.encrypted import EncryptedSource
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.part_body import BLOCK_SIZE, checksum, new_buffer, read_blocks

PLAN = PartPlan(4 * BLOCK_SIZE, 2 * BLOCK_SIZE)
FIRST, SECOND = PLAN


class Undated(LocalFile):
    """A file on a volume that shows no edit."""

    def open(self) -> EncryptedSource:  # type: ignore[override]
        opened = super().open()
        opened.exact_fingerprint = lambda: opened.fingerprint  # type: ignore[method-assign]
        return EncryptedSource(opened, ContentKey.new())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "export.bin"
    path.write_bytes(bytes(PLAN.size))
    return path


@pytest.fixture
def source(file: Path) -> Iterator[EncryptedSource]:
    with closing(Undated(file).open()) as opened:
        yield opened


def read(source: EncryptedSource, number: int) -> bytes:
    return b"".join(bytes(block) for block in read_blocks(source, PLAN.part(number), new_buffer()))


def edit(file: Path, offset: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(b"x")


@contextmanager
def reading(source: EncryptedSource, number: int) -> Iterator[Iterator[memoryview]]:
    """Read the first block of a part, and leave its reader open."""
    blocks = read_blocks(source, PLAN.part(number), new_buffer())
    next(blocks)
    yield blocks
    blocks.close()  # type: ignore[attr-defined]


def test_a_part_in_flight_is_read_again_only_with_the_same_bytes(source: EncryptedSource, file: Path) -> None:
    first = read(source, 1)
    assert read(source, 1) == first
    edit(file, BLOCK_SIZE)
    with pytest.raises(SourceChangedError, match="changed while it was uploaded"):
        read(source, 1)


def test_digests_are_dropped_once_the_bucket_holds_the_part(source: EncryptedSource) -> None:
    for number in (1, 2):
        read(source, number)
    assert source.digests_kept == 4
    source.let_go(FIRST.offset, FIRST.length)
    assert source.digests_kept == 2
    source.let_go(SECOND.offset, SECOND.length)
    assert source.digests_kept == 0


def test_digests_stay_while_the_slower_sender_of_a_hedged_part_reads(source: EncryptedSource, file: Path) -> None:
    with reading(source, 1) as slower:
        read(source, 1)
        source.let_go(FIRST.offset, FIRST.length)
        edit(file, BLOCK_SIZE)
        with pytest.raises(SourceChangedError):
            next(slower)
    assert source.digests_kept == 0


def test_a_part_that_is_read_again_after_it_was_released_is_compared_again(source: EncryptedSource, file: Path) -> None:
    """The comparison with what OSS acknowledged is one read, the sending another one."""
    with reading(source, 1):
        source.let_go(FIRST.offset, FIRST.length)
        read(source, 1)
    edit(file, 0)
    with pytest.raises(SourceChangedError):
        read(source, 1)


def test_a_checksum_of_the_whole_source_keeps_no_digest(source: EncryptedSource) -> None:
    most = 0

    def note() -> None:
        nonlocal most
        most = max(most, source.digests_kept)

    checksum(source, PLAN, new_buffer(), note)
    assert most == 2, "those of one part"
    assert source.digests_kept == 0
