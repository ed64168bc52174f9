"""What every source promises; each kind of source runs these cases against the real thing."""

from __future__ import annotations

import random
import threading
import tracemalloc
from contextlib import closing
from typing import Protocol

import pytest

from airflow_provider_oss_resume.exceptions import (
    OSSResumeError,
    SourceChangedError,
    SourceError,
    SourceTruncatedError,
)
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange
from airflow_provider_oss_resume.sources.part_body import new_buffer, read_blocks
from airflow_provider_oss_resume.sources.source import OpenSource, Source

SIZE = 700_001
PART = 100_000


class Place(Protocol):
    """Where files of a kind are."""

    def write(self, name: str, data: bytes) -> None:
        """Make a file, or replace it in a way that its source must see."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file."""
        ...

    def source(self, name: str) -> Source:
        """Return the source of a file."""
        ...


def content(size: int = SIZE, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def read(source: OpenSource, offset: int, length: int) -> bytes:
    return b"".join(bytes(block) for block in read_blocks(source, PartRange(1, offset, length), new_buffer()))


def peak_of_reading(source: OpenSource, size: int) -> int:
    """Return the most bytes of memory in use while a source is read by one reader."""
    tracemalloc.start()
    with source.open_range(0, size) as reader:
        buffer, left = new_buffer(), size
        while count := reader.read_into(buffer):
            left -= count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert left == 0
    return peak


def read_and_check(source: OpenSource) -> None:
    read(source, 0, SIZE)
    source.check_unchanged()


class SourceCases:
    """Tests of one kind of source; a subclass has the fixture ``place``."""

    def test_all_parts_together_are_the_file(self, place: Place) -> None:
        place.write("a.bin", content())
        with closing(place.source("a.bin").open()) as opened:
            assert opened.fingerprint.size == SIZE
            parts = [read(opened, part.offset, part.length) for part in PartPlan(SIZE, PART)]
        assert b"".join(parts) == content()

    def test_a_range_is_read_in_any_order_and_again(self, place: Place) -> None:
        place.write("b.bin", content())
        with closing(place.source("b.bin").open()) as opened:
            for offset, length in [(SIZE - 5, 5), (0, 1), (99_999, 300_000), (99_999, 300_000)]:
                assert read(opened, offset, length) == content()[offset : offset + length]

    def test_many_threads_read_at_the_same_time(self, place: Place) -> None:
        place.write("c.bin", content())
        found: dict[int, bytes] = {}
        with closing(place.source("c.bin").open()) as opened:

            def read_part(part: PartRange) -> None:
                found[part.number] = read(opened, part.offset, part.length)

            threads = [threading.Thread(target=read_part, args=(part,)) for part in PartPlan(SIZE, PART)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert b"".join(found[number] for number in sorted(found)) == content()

    def test_an_empty_file(self, place: Place) -> None:
        place.write("empty", b"")
        with closing(place.source("empty").open()) as opened:
            assert opened.fingerprint.size == 0
            assert read(opened, 0, 0) == b""

    def test_the_end_of_a_range_is_the_end(self, place: Place) -> None:
        place.write("d.bin", content())
        with closing(place.source("d.bin").open()) as opened, opened.open_range(SIZE - 10, 10) as reader:
            buffer = memoryview(bytearray(100))
            count = 0
            while found := reader.read_into(buffer[count:]):
                count += found
            assert bytes(buffer[:count]) == content()[-10:]

    def test_the_fingerprint_stays_and_changes_with_the_bytes(self, place: Place) -> None:
        place.write("e.bin", content())
        with closing(place.source("e.bin").open()) as first, closing(place.source("e.bin").open()) as second:
            assert first.fingerprint == second.fingerprint
            first.check_unchanged()
        place.write("e.bin", content(seed=1))
        with closing(place.source("e.bin").open()) as third:
            assert third.fingerprint != first.fingerprint

    def test_a_file_that_grows_or_is_replaced_is_noticed(self, place: Place) -> None:
        place.write("f.bin", content())
        with closing(place.source("f.bin").open()) as opened:
            place.write("f.bin", content(SIZE + 7, seed=2))
            with pytest.raises(SourceChangedError):
                opened.check_unchanged()

    def test_a_file_that_shrinks_is_noticed(self, place: Place) -> None:
        place.write("g.bin", content())
        with closing(place.source("g.bin").open()) as opened:
            place.write("g.bin", content(10))
            with pytest.raises((SourceChangedError, SourceTruncatedError)):
                read(opened, PART, SIZE - PART)

    def test_a_file_that_vanishes_is_noticed(self, place: Place) -> None:
        place.write("v.bin", content())
        with closing(place.source("v.bin").open()) as opened:
            place.remove("v.bin")
            with pytest.raises(SourceError, match=r"v\.bin") as caught:
                read_and_check(opened)
        assert not caught.value.permanent

    def test_a_file_that_is_missing_may_come_later(self, place: Place) -> None:
        with pytest.raises(SourceError) as caught:
            place.source("missing.bin").open()
        assert not caught.value.permanent
        assert "missing.bin" in str(caught.value)

    def test_the_uri_names_the_file(self, place: Place) -> None:
        place.write("h.bin", b"h")
        source = place.source("h.bin")
        assert source.uri.endswith("/h.bin")
        assert "hush-hush" not in source.uri

    def test_errors_belong_to_this_package(self, place: Place) -> None:
        place.write("i.bin", content())
        with closing(place.source("i.bin").open()) as opened:
            place.write("i.bin", b"")
            with pytest.raises(OSSResumeError):
                read(opened, 0, SIZE)
