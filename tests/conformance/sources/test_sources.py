"""The sources that need no Airflow, against the real thing."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    NoRangesError,
    SourceChangedError,
    SourceError,
    SourceTruncatedError,
)
from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from airflow_provider_oss_resume.remote_sources.oss_object import OSSObjectSource
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.part_body import new_buffer
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.sources.spool import MemorySpool, fill
from tests.conformance.sources.http_files import HTTPFiles
from tests.conformance.sources.source_cases import PART, SIZE, SourceCases, content, read
from tests.server.relay import Relay

BUCKET = "examplebucket"


class Folder:
    """Files of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def source(self, name: str) -> Source:
        return LocalFile(self.folder / name)


class WebServer(Folder):
    """Files behind HTTP."""

    def __init__(self, files: HTTPFiles) -> None:
        super().__init__(files.folder)
        self.files = files
        self.waits: list[float] = []

    def source(self, name: str) -> HTTPSource:
        url = self.files.url.replace("//", "//user:hush-hush@")
        return HTTPSource(f"{url}/{name}?signature=hush-hush", sleep=self.waits.append)


class Bucket:
    """Objects of OSS, read through this machine."""

    def __init__(self, server: DevServer) -> None:
        self.server = server

    def client(self, url: str = "") -> OSSClient:
        keys = Credentials(self.server.access_key_id, self.server.access_key_secret)
        return OSSClient(url or self.server.url, keys, self.server.region, retry=RetryPolicy(max_elapsed=1))

    def write(self, name: str, data: bytes) -> None:
        with self.client() as client:
            client.put_object(BUCKET, name, data)

    def remove(self, name: str) -> None:
        with self.client() as client:
            client.delete_object(BUCKET, name)

    def source(self, name: str) -> OSSObjectSource:
        return OSSObjectSource(self.client, BUCKET, name)


@pytest.fixture(scope="module")
def oss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(tmp_path_factory.mktemp("oss"), buckets=(BUCKET,)) as server:
        yield server


@pytest.fixture
def bucket(oss: DevServer) -> Iterator[Bucket]:
    yield Bucket(oss)
    oss.clear_faults()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[HTTPFiles]:
    with closing(HTTPFiles(tmp_path)) as server:
        yield server


@pytest.fixture
def web(files: HTTPFiles) -> WebServer:
    return WebServer(files)


class TestLocalFile(SourceCases):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Folder:
        return Folder(tmp_path)

    def test_a_file_that_vanishes_is_noticed(self, place: Folder) -> None:  # type: ignore[override]
        """An open file of this machine keeps its bytes until it is closed, so the upload is right."""
        place.write("v.bin", content())
        with closing(place.source("v.bin").open()) as opened:
            place.remove("v.bin")
            assert read(opened, 0, SIZE) == content()
            opened.check_unchanged()


class TestOSSObject(SourceCases):
    @pytest.fixture
    def place(self, bucket: Bucket) -> Bucket:
        return bucket


def test_an_object_is_read_by_one_request_a_range(bucket: Bucket) -> None:
    bucket.write("one.bin", content())
    with closing(bucket.source("one.bin").open()) as opened:
        bucket.server.clear_requests()
        read(opened, PART, 3 * PART)
    assert [one.operation for one in bucket.server.requests()] == ["GetObject"]


def test_a_reply_of_oss_that_is_cut_is_continued_where_it_ended(bucket: Bucket) -> None:
    bucket.write("cut.bin", content())
    with Relay(bucket.server.port, cut_after=150_000) as relay:
        source = OSSObjectSource(lambda: bucket.client(relay.url), BUCKET, "cut.bin")
        with closing(source.open()) as opened:
            assert read(opened, 0, SIZE) == content()
    starts = [one.headers["range"] for one in bucket.server.requests("GetObject") if one.key == "cut.bin"]
    assert len(set(starts)) == len(starts) >= SIZE // 150_000


def test_replies_that_are_always_cut_at_once_fail_the_range(bucket: Bucket) -> None:
    bucket.write("never.bin", content())
    with closing(bucket.source("never.bin").open()) as opened:
        bucket.server.plan(FaultRule(FaultKind.RESET, "GetObject", count=None))
        with pytest.raises(SourceError, match=f"oss://{BUCKET}/never.bin cannot be read"):
            read(opened, 0, SIZE)


@pytest.mark.parametrize(
    ("status", "code", "error", "text"),
    [
        (403, "AccessDenied", ConfigurationError, "may not be read by the source's connection"),
        (404, "NoSuchKey", SourceError, "there is no such object now"),
        (412, "PreconditionFailed", SourceChangedError, "changed while it was uploaded"),
        (416, "InvalidRange", SourceError, "cannot be read"),
    ],
)
def test_errors_of_oss_are_those_of_the_source(
    bucket: Bucket, status: int, code: str, error: type[Exception], text: str
) -> None:
    bucket.write("refused.bin", content())
    with closing(bucket.source("refused.bin").open()) as opened:
        bucket.server.plan(FaultRule(FaultKind.REPLY, "GetObject", status=status, code=code))
        with pytest.raises(error, match=f"oss://{BUCKET}/refused.bin.*{text}"):
            read(opened, 0, SIZE)


class TestHTTP(SourceCases):
    @pytest.fixture
    def place(self, web: WebServer) -> WebServer:
        return web


class TestHTTPWithDates(SourceCases):
    """A server without ETags; dates have whole seconds, so the size shows what changed."""

    @pytest.fixture
    def place(self, web: WebServer) -> WebServer:
        web.files.has_etag = False
        return web

    def test_the_fingerprint_stays_and_changes_with_the_bytes(self, place: WebServer) -> None:  # type: ignore[override]
        place.write("e.bin", content())
        with closing(place.source("e.bin").open()) as opened:
            assert not opened.fingerprint.strong
        place.write("e.bin", content(SIZE + 1))
        with closing(place.source("e.bin").open()) as again:
            assert again.fingerprint != opened.fingerprint

    def test_a_file_that_shrinks_is_noticed(self, place: WebServer) -> None:  # type: ignore[override]
        place.write("g.bin", content())
        with closing(place.source("g.bin").open()) as opened:
            place.write("g.bin", content(10))
            with pytest.raises(SourceError):
                read(opened, PART, SIZE - PART)


def test_one_request_reads_a_range(web: WebServer) -> None:
    web.write("a.bin", content())
    with closing(web.source("a.bin").open()) as opened:
        web.files.ranges.clear()
        read(opened, PART, 3 * PART)
    assert web.files.ranges == [f"bytes={PART}-{4 * PART - 1}"]


def test_a_connection_that_drops_again_and_again_is_continued_where_it_ended(web: WebServer) -> None:
    web.write("a.bin", content())
    web.files.drop_after = 50_000
    with closing(web.source("a.bin").open()) as opened:
        assert read(opened, 0, SIZE) == content()
    assert web.waits


def test_a_server_that_fails_for_a_moment_is_asked_again(web: WebServer) -> None:
    web.write("a.bin", content())
    with closing(web.source("a.bin").open()) as opened:
        web.files.status = 503
        with pytest.raises(SourceError, match=r"cannot be read: .* answers HTTP 503") as caught:
            read(opened, 0, SIZE)
    assert not caught.value.permanent
    assert len(web.waits) == 4


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_needs_a_person(web: WebServer, status: int) -> None:
    web.files.status = status
    with pytest.raises(ConfigurationError, match=f"answers HTTP {status}: check the name and password"):
        web.source("a.bin").open()


def test_a_failed_condition_is_a_change(web: WebServer) -> None:
    web.write("a.bin", content())
    with closing(web.source("a.bin").open()) as opened:
        web.files.status = 412
        with pytest.raises(SourceChangedError):
            read(opened, 0, SIZE)


def test_a_server_without_ranges_is_told_with_the_size(web: WebServer) -> None:
    web.write("a.bin", content())
    web.files.has_ranges = False
    with pytest.raises(NoRangesError, match="the server does not support ranges") as caught:
        web.source("a.bin").open()
    assert caught.value.size == SIZE


def test_a_total_that_lies_is_a_change(web: WebServer) -> None:
    web.write("a.bin", content())
    with closing(web.source("a.bin").open()) as opened:
        web.files.added_to_total = 7
        with pytest.raises(SourceChangedError):
            read(opened, 0, 1000)


@pytest.fixture
def no_ranges(web: WebServer) -> WebServer:
    web.files.has_ranges = False
    return web


def read_stream(web: WebServer, name: str = "a.bin") -> bytes:
    found, buffer = bytearray(), new_buffer()
    with closing(web.source(name).open_stream()) as opened:
        while count := opened.read_into(buffer):
            found += buffer[:count]
    return bytes(found)


@pytest.mark.parametrize("size", [0, 1, SIZE])
def test_a_file_without_ranges_is_read_as_a_stream(no_ranges: WebServer, size: int) -> None:
    no_ranges.write("a.bin", content(size))
    assert read_stream(no_ranges) == content(size)
    with closing(no_ranges.source("a.bin").open_stream()) as opened:
        assert opened.size == size


def test_a_stream_whose_connection_drops_at_every_second_reply_is_continued(no_ranges: WebServer) -> None:
    no_ranges.write("a.bin", content())
    no_ranges.files.drop_after = 500_000
    assert read_stream(no_ranges) == content()
    assert no_ranges.waits


def test_a_stream_that_never_gets_further_fails(no_ranges: WebServer) -> None:
    no_ranges.write("a.bin", content())
    no_ranges.files.drop_after = 500_000
    no_ranges.files.drops_all = True
    with pytest.raises(SourceError, match="cannot be read: the reply was cut"):
        read_stream(no_ranges)
    assert len(no_ranges.waits) == 4


def test_a_length_that_lies_is_an_early_end(no_ranges: WebServer) -> None:
    no_ranges.write("a.bin", content())
    no_ranges.files.added_to_length = 7
    with pytest.raises(SourceError, match="cannot be read"):
        read_stream(no_ranges)


def test_a_dropped_stream_without_an_etag_fails(no_ranges: WebServer) -> None:
    no_ranges.write("a.bin", content())
    no_ranges.files.has_etag = False
    no_ranges.files.drop_after = 500_000
    with pytest.raises(SourceError, match="neither ranges nor ETags: the next try"):
        read_stream(no_ranges)


def test_a_stream_that_is_replaced_meanwhile(no_ranges: WebServer) -> None:
    no_ranges.write("a.bin", content())
    no_ranges.files.drop_after = 500_000
    with closing(no_ranges.source("a.bin").open_stream()) as opened:
        no_ranges.write("a.bin", content(seed=1))
        whole = MemorySpool(SIZE)
        with pytest.raises(SourceChangedError):
            fill(whole, opened, SIZE)


@pytest.mark.parametrize(
    ("status", "error"), [(401, ConfigurationError), (403, ConfigurationError), (404, SourceError), (412, SourceError)]
)
def test_a_stream_that_is_refused(no_ranges: WebServer, status: int, error: type[Exception]) -> None:
    no_ranges.files.status = status
    with pytest.raises(error, match=f"answers HTTP {status}") as caught:
        no_ranges.source("a.bin").open_stream()
    assert "hush-hush" not in "".join(traceback.format_exception(caught.value))


def test_a_range_that_is_refused_for_good(web: WebServer) -> None:
    web.write("a.bin", content())
    with closing(web.source("a.bin").open()) as opened:
        web.files.status = 416
        with pytest.raises(SourceTruncatedError, match="ends before byte"):
            read(opened, PART, PART)


def test_name_and_password_are_sent_and_a_redirect_is_followed(web: WebServer) -> None:
    web.write("a.bin", content())
    web.files.password = "Basic " + base64.b64encode(b"user:hush-hush").decode()
    with closing(web.source("redirect/a.bin").open()) as opened:
        assert read(opened, 0, SIZE) == content()


@pytest.mark.parametrize("status", [0, 403, 404, 503])
def test_no_secret_is_in_an_error(web: WebServer, status: int) -> None:
    web.files.status = status
    if not status:
        web.files.close()
    with pytest.raises((SourceError, ConfigurationError)) as caught:
        web.source("a.bin").open()
    assert "hush-hush" not in "".join(traceback.format_exception(caught.value))
    if not status:
        web.files.__init__(web.folder)  # type: ignore[misc]  # the fixture closes it


def test_no_secret_is_logged_at_any_level(web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    web.write("a.bin", content())
    web.files.drop_after = 500_000
    with closing(web.source("a.bin").open()) as opened:
        read(opened, 0, SIZE)
    web.files.has_ranges = False
    assert read_stream(web) == content()
    assert "hush-hush" not in caplog.text
