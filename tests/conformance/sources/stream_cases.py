"""What every stream promises; each kind of stream runs these cases."""

from __future__ import annotations

from contextlib import closing
from typing import Protocol

import pytest

from airflow_provider_oss_resume.exceptions import OSSResumeError, SourceError
from airflow_provider_oss_resume.sources.byte_stream import ByteStream, OpenStream
from airflow_provider_oss_resume.sources.spool import MemorySpool, fill
from tests.conformance.sources.source_cases import PART, SIZE, content


class StreamPlace(Protocol):
    """Where streams of a kind come from."""

    def stream(self, data: bytes) -> ByteStream:
        """Return a stream of these bytes."""
        ...

    def broken(self, data: bytes) -> ByteStream:
        """Return a stream that fails for good after these bytes."""
        ...


def read_all(opened: OpenStream, at_once: int = 65_536) -> bytes:
    found, buffer = bytearray(), memoryview(bytearray(at_once))
    while count := opened.read_into(buffer):
        found += buffer[:count]
    return bytes(found)


class StreamCases:
    """Tests of one kind of stream; a subclass has the fixture ``place``."""

    @pytest.mark.parametrize("size", [0, 1, PART, SIZE])
    @pytest.mark.parametrize("at_once", [997, 1_000_000])
    def test_all_bytes_come_in_order_whatever_is_read_at_once(
        self, place: StreamPlace, size: int, at_once: int
    ) -> None:
        with closing(place.stream(content(size)).open_stream()) as opened:
            assert read_all(opened, at_once) == content(size)

    def test_the_end_stays_the_end(self, place: StreamPlace) -> None:
        with closing(place.stream(content(1000)).open_stream()) as opened:
            read_all(opened)
            assert opened.read_into(memoryview(bytearray(10))) == 0

    def test_parts_are_filled_to_their_length_but_the_last(self, place: StreamPlace) -> None:
        lengths: list[int] = []
        with closing(place.stream(content()).open_stream()) as opened:
            while not lengths or lengths[-1] == PART:
                spool = MemorySpool(PART)
                fill(spool, opened, PART)
                lengths.append(spool.count)
        assert lengths == [PART] * (SIZE // PART) + [SIZE % PART]

    def test_a_size_that_is_told_is_the_size(self, place: StreamPlace) -> None:
        with closing(place.stream(content()).open_stream()) as opened:
            assert opened.size in (None, SIZE)

    def test_a_stream_that_fails_belongs_to_this_package_and_is_tried_again(self, place: StreamPlace) -> None:
        with closing(place.broken(content(PART)).open_stream()) as opened, pytest.raises(SourceError) as caught:
            read_all(opened)
        assert not caught.value.permanent

    def test_a_stream_is_repeated_if_it_says_so_and_else_refused_or_at_its_end(self, place: StreamPlace) -> None:
        stream = place.stream(content(PART))
        with closing(stream.open_stream()) as opened:
            assert read_all(opened) == content(PART)
        if stream.is_repeatable:
            with closing(stream.open_stream()) as again:
                assert read_all(again) == content(PART)
            return
        try:
            again = stream.open_stream()
        except OSSResumeError:
            return
        with closing(again):
            assert read_all(again) == b""

    def test_it_may_be_left_in_the_middle(self, place: StreamPlace) -> None:
        with closing(place.stream(content()).open_stream()) as opened:
            assert opened.read_into(memoryview(bytearray(10))) > 0

    def test_the_uri_holds_no_secret(self, place: StreamPlace) -> None:
        assert "hush-hush" not in place.stream(b"x").uri
