"""Web servers that answer something else than was asked for: the bytes are right, or the error says what is wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pytest

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    NoRangesError,
    OSSResumeError,
    SourceChangedError,
    SourceError,
)
from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from tests.conformance.sources.source_cases import read
from tests.conformance.sources.stream_cases import read_all
from tests.server.tcp import TCPServer, read_head

DATA = bytes(range(256)) * 40


@dataclass
class Request:
    """What a server was asked.

    :ivar number: how many requests there were, this one included.
    :ivar wanted: first and last byte; ``None`` for the whole file.
    """

    number: int
    wanted: tuple[int, int] | None
    headers: dict[str, str]


Answer = Callable[[Request], bytes]


@dataclass
class Liar:
    """A server that answers what a test says."""

    answer: Answer
    requests: list[Request] = field(default_factory=list)

    def serve(self) -> TCPServer:
        def converse(connection: object) -> None:
            while True:
                lines = read_head(connection).decode().split("\r\n")[1:]  # type: ignore[arg-type]
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                wanted = headers.get("range", "").removeprefix("bytes=")
                first, _, last = wanted.partition("-")
                request = Request(len(self.requests) + 1, (int(first), int(last)) if wanted else None, headers)
                self.requests.append(request)
                connection.sendall(self.answer(request))  # type: ignore[attr-defined]

        def until_closed(connection: object) -> None:
            try:
                converse(connection)
            except ConnectionError:
                return

        return TCPServer(until_closed)


def reply(status: int, body: bytes = b"", **headers: object) -> bytes:
    lines = {"content_length": len(body), "etag": '"v1"', **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


def honest(request: Request, **headers: object) -> bytes:
    if request.wanted is None:
        return reply(200, DATA, **headers)
    first, last = request.wanted
    body = DATA[first : last + 1]
    return reply(206, body, **{"content_range": f"bytes {first}-{first + len(body) - 1}/{len(DATA)}", **headers})


@dataclass
class Reading:
    """A file on a server, and the waits between requests."""

    url: str
    waits: list[float] = field(default_factory=list)

    def source(self) -> HTTPSource:
        return HTTPSource(self.url, sleep=self.waits.append)

    def some(self) -> bytes:
        """Return bytes from the middle of the file."""
        with closing(self.source().open()) as opened:
            return read(opened, 1000, 2000)


@pytest.fixture
def lying() -> Iterator[Callable[..., Reading]]:
    with ExitStack() as stack:

        def start(answer: Answer, path: str = "/a.bin") -> Reading:
            return Reading(stack.enter_context(Liar(answer).serve()).url + path)

        yield start


def later(answer: Answer) -> Answer:
    """Answer the first request honestly."""
    return lambda request: honest(request) if request.number == 1 else answer(request)


def other_range(request: Request) -> bytes:
    return reply(206, DATA, content_range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}")


def whole(_: Request) -> bytes:
    return reply(200, DATA)


def nameless_range(_: Request) -> bytes:
    return reply(206, DATA[:10])


def compressed(request: Request) -> bytes:
    return reply(206, gzip.compress(DATA), content_range=f"bytes 0-9/{len(DATA)}", content_encoding="gzip")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (other_range, SourceError, "the reply to a request for bytes from 1000 on has other bytes"),
        (whole, SourceError, "the reply to a request for bytes from 1000 on has other bytes"),
        (nameless_range, SourceError, "sends a part of the file and does not report which one"),
        (compressed, ConfigurationError, "is sent with Content-Encoding 'gzip', although it was requested without"),
        (lambda _: reply(206, DATA, etag='"v2"'), SourceError, "not report which one|changed while it was uploaded"),
        (lambda _: reply(200, DATA, etag='"v2"'), SourceChangedError, "changed while it was uploaded"),
        (lambda _: reply(204), SourceError, "answers HTTP 204"),
    ],
)
def test_what_is_not_the_range_is_never_taken_for_it(
    lying: Callable[..., Reading], answer: Answer, error: type[OSSResumeError], said: str
) -> None:
    with pytest.raises(error, match=rf"/a\.bin.*({said})") as raised:
        lying(later(answer)).some()
    assert raised.value.permanent is (error is ConfigurationError)


def test_one_server_of_several_without_ranges_is_asked_again(lying: Callable[..., Reading]) -> None:
    reading = lying(lambda request: whole(request) if request.number == 2 else honest(request))
    assert reading.some() == DATA[1000:3000]
    assert reading.waits == [0.2]


def test_a_reply_with_more_bytes_than_the_range_is_cut(lying: Callable[..., Reading]) -> None:
    def longer(request: Request) -> bytes:
        first, last = request.wanted or (0, 0)
        return reply(206, DATA[first : last + 1] + b"junk", content_range=f"bytes {first}-{last}/{len(DATA)}")

    assert lying(later(longer)).some() == DATA[1000:3000]


def test_a_server_that_does_not_tell_the_size_is_read_as_a_stream(lying: Callable[..., Reading]) -> None:
    def starred(request: Request) -> bytes:
        return honest(request, **({"content_range": "bytes 0-0/*"} if request.wanted else {}))

    reading = lying(starred)
    with pytest.raises(NoRangesError, match="does not report the size of the file"):
        reading.source().open()
    with closing(reading.source().open_stream()) as opened:
        assert read_all(opened) == DATA


@pytest.mark.parametrize("path", ["/dump.sql.gz", "/dump.tgz"])
def test_a_compressed_file_is_taken_as_it_is(lying: Callable[..., Reading], path: str) -> None:
    reading = lying(lambda request: honest(request, content_encoding="x-gzip"), path)
    assert reading.some() == DATA[1000:3000]


@pytest.mark.parametrize("coding", ["", "Identity", "aws-chunked"])
def test_a_coding_that_leaves_the_bytes_as_they_are_is_accepted(lying: Callable[..., Reading], coding: str) -> None:
    assert lying(lambda request: honest(request, content_encoding=coding)).some() == DATA[1000:3000]


def test_a_stream_that_is_compressed_on_the_way_is_refused(lying: Callable[..., Reading]) -> None:
    reading = lying(lambda _: reply(200, gzip.compress(DATA), content_encoding="gzip"))
    for opening in (reading.source().open, reading.source().open_stream):
        with pytest.raises(ConfigurationError, match="the object would have the compressed bytes"):
            opening()


@pytest.mark.parametrize(("asked", "waits"), [("3", [3]), ("0", [0.2]), ("Fri, 31 Dec 1999 23:59:59 GMT", [0.2])])
def test_a_server_that_is_busy_is_given_the_time_it_asks_for(
    lying: Callable[..., Reading], asked: str, waits: list[float]
) -> None:
    reading = lying(lambda request: reply(429, retry_after=asked) if request.number == 2 else honest(request))
    assert reading.some() == DATA[1000:3000]
    assert reading.waits == waits


def test_a_server_that_asks_for_a_day_is_left_to_the_next_try(lying: Callable[..., Reading]) -> None:
    reading = lying(later(lambda _: reply(503, retry_after="86400")))
    with pytest.raises(SourceError, match=r"answers HTTP 503; the server asks to wait 86,400 s"):
        reading.some()
    assert reading.waits == []


@pytest.mark.parametrize("target", ["ftp://host/a", "file:///etc/passwd", "http://[::1", "http://host:port/a"])
def test_a_redirect_to_no_web_server_is_refused(lying: Callable[..., Reading], target: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"/a\.bin is redirected to an address that is not a valid http or https URL"
    ):
        lying(lambda _: reply(302, location=target)).some()


def test_a_weak_etag_is_no_proof(lying: Callable[..., Reading]) -> None:
    with closing(lying(lambda request: honest(request, etag='W/"v1"')).source().open()) as opened:
        assert not opened.fingerprint.strong
        assert read(opened, 1000, 2000) == DATA[1000:3000]


def test_no_request_gives_the_password_to_the_host_of_a_redirect() -> None:
    elsewhere = Liar(honest)
    with elsewhere.serve() as there:
        redirecting = Liar(lambda _: reply(302, location=f"{there.url}/signed"))
        with redirecting.serve() as here:
            reading = Reading(here.url.replace("//", "//me:hush@") + "/a.bin")
            assert reading.some() == DATA[1000:3000]
    assert len(elsewhere.requests) == 2
    assert not [one for one in elsewhere.requests if "authorization" in one.headers]
    assert all("authorization" in one.headers for one in redirecting.requests)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_redirect_that_was_signed_for_minutes_is_asked_for_anew(status: int) -> None:
    elsewhere = Liar(lambda request: reply(status) if request.number == 2 else honest(request))
    with elsewhere.serve() as there:
        redirecting = Liar(lambda _: reply(302, location=f"{there.url}/signed"))
        with redirecting.serve() as here:
            assert Reading(here.url + "/a.bin").some() == DATA[1000:3000]
    assert (len(redirecting.requests), len(elsewhere.requests)) == (2, 3)
