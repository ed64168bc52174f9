"""Objects as files and copies of objects, against the dev server."""

from __future__ import annotations

import io
import random
import time
from contextlib import suppress

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    IntegrityError,
    NotFoundError,
    ObjectChangedError,
    TransportError,
)
from airflow_provider_oss_resume.object_io import ObjectWriter, copy_object, open_reader
from airflow_provider_oss_resume.object_io.copy import join_objects
from airflow_provider_oss_resume.object_io.reader import read_object
from airflow_provider_oss_resume.object_io.writer import part_size_at
from airflow_provider_oss_resume.oss import OSSClient, RetryPolicy, limits
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE
from tests.server.conftest import ClientFactory
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, content


def stored(client: OSSClient, key: str) -> bytes:
    with client.get_object(BUCKET, key) as (_, blocks):
        return b"".join(blocks)


def uploads_left(client: OSSClient, key: str) -> list[str]:
    return [one.upload_id for one in client.list_multipart_uploads(BUCKET, key)]


# ---------------------------------------------------------------- reading


def test_a_reader_seeks_and_reads(client: OSSClient, key: str) -> None:
    body, dice = content(), random.Random(3)
    client.put_object(BUCKET, key, body)
    with open_reader(client, BUCKET, key, read_ahead=5_000) as reader:
        for _ in range(50):
            offset, count = dice.randrange(SIZE + 10), dice.randrange(20_000)
            reader.seek(offset)
            assert reader.read(count) == body[offset : offset + count]
            assert reader.tell() == max(offset, min(offset + count, SIZE))
        assert reader.seek(-7, io.SEEK_END) == SIZE - 7
        assert reader.read() == body[-7:]
        reader.seek(0)
        assert reader.read() == body


def test_a_reader_asks_for_enough_at_once(server: DevServer, client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, content())
    with open_reader(client, BUCKET, key) as reader:
        while reader.read(1000):
            pass
    assert len(server.requests("GetObject")) == 1


def test_a_reader_never_mixes_two_versions(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, content())
    with open_reader(client, BUCKET, key, read_ahead=1000) as reader:
        reader.read(10)
        client.put_object(BUCKET, key, content(seed=1))
        with pytest.raises(ObjectChangedError):
            reader.read(5000)


def test_a_reader_of_nothing(client: OSSClient, key: str) -> None:
    with pytest.raises(NotFoundError):
        open_reader(client, BUCKET, key)
    client.put_object(BUCKET, key, b"")
    with open_reader(client, BUCKET, key) as reader:
        assert reader.read() == b""
    assert read_object(client, BUCKET, key) == b""


def test_a_reader_starts_at_0_and_tells_once_that_it_is_closed(client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, content())
    closed: list[bool] = []
    reader = open_reader(client, BUCKET, key, on_close=lambda: closed.append(True))
    with pytest.raises(ValueError, match="negative seek position -1"):
        reader.seek(-1)
    reader.close()
    reader.close()
    assert closed == [True]


def test_a_whole_object_is_read_and_verified(server: DevServer, client: OSSClient, key: str) -> None:
    body = content(seed=4711)  # of no other test
    client.put_object(BUCKET, key, body)
    assert read_object(client, BUCKET, key) == body
    (damaged,) = [path for path in server.root.glob("blobs/*/*") if path.read_bytes() == body]
    damaged.write_bytes(content(seed=4712))
    with pytest.raises(IntegrityError, match=f"{key} has CRC-64 {crc64(body)} in OSS, but the bytes received"):
        read_object(client, BUCKET, key)


# ---------------------------------------------------------------- joining


def test_objects_are_joined_in_their_order(server: DevServer, client: OSSClient, key: str) -> None:
    pieces = [content(MIN_PART_SIZE, seed=1), content(MIN_PART_SIZE + 7, seed=2), b"x"]
    sources = [(BUCKET, f"{key} {number}") for number in range(3)]
    for source, piece in zip(sources, pieces, strict=True):
        client.put_object(*source, piece)
    server.clear_requests()
    assert join_objects(client, sources, BUCKET, key, {"Content-Type": "text/csv"}) == sum(map(len, pieces))
    assert "GetObject" not in {one.operation for one in server.requests()}
    assert stored(client, key) == b"".join(pieces)
    assert client.head_object(BUCKET, key).content_type == "text/csv"


@pytest.mark.parametrize(
    ("sizes", "said"),
    [((), "0 objects cannot be joined"), ((MIN_PART_SIZE - 1, 1), "0 has 102399 bytes"), ((0,), "0 has 0 bytes")],
)
def test_objects_that_cannot_be_parts_are_not_joined(
    client: OSSClient, key: str, sizes: tuple[int, ...], said: str
) -> None:
    sources = [(BUCKET, f"{key} {number}") for number in range(len(sizes))]
    for source, size in zip(sources, sizes, strict=True):
        client.put_object(*source, content(size))
    with pytest.raises(ConfigurationError, match=said):
        join_objects(client, sources, BUCKET, key)
    assert uploads_left(client, key) == []


def test_an_object_that_changes_while_it_is_joined(server: DevServer, client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, f"{key} 0", content())
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=412, code="PreconditionFailed"))
    with pytest.raises(ObjectChangedError):
        join_objects(client, [(BUCKET, f"{key} 0")], BUCKET, key)
    assert uploads_left(client, key) == []
    copied = server.requests("UploadPartCopy")[-1]
    assert copied.headers["x-oss-copy-source-if-match"] == f'"{client.head_object(BUCKET, f"{key} 0").etag}"'


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, SIZE])
def test_a_writer_makes_the_object(server: DevServer, client: OSSClient, key: str, size: int) -> None:
    body = content(size)
    writer = ObjectWriter(client, BUCKET, key, {"Content-Type": "text/csv"}, part_size=PART)
    for start in range(0, size, 30_000):
        writer.write(body[start : start + 30_000])
    assert writer.complete() == crc64(body)
    assert stored(client, key) == body
    assert client.head_object(BUCKET, key).content_type == "text/csv"
    assert len(server.requests("UploadPart")) == (PARTS if size == SIZE else 2 if size == PART + 1 else 0)


def test_an_aborted_writer_leaves_nothing(client: OSSClient, key: str) -> None:
    writer = ObjectWriter(client, BUCKET, key, part_size=PART)
    writer.write(content())
    assert uploads_left(client, key)
    writer.abort()
    assert uploads_left(client, key) == []
    with pytest.raises(NotFoundError):
        client.head_object(BUCKET, key)


def test_a_part_that_fails_aborts_the_upload(server: DevServer, client: OSSClient, key: str) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPart", key=key, part_number=3, status=403, code="AccessDenied"))
    writer = ObjectWriter(client, BUCKET, key, part_size=PART)
    with pytest.raises(AccessDeniedError):  # noqa: PT012 - write() may raise it, or complete()
        writer.write(content())
        writer.complete()
    writer.abort()
    assert uploads_left(client, key) == []


def test_a_writer_with_a_failed_part_never_makes_the_object(server: DevServer, client: OSSClient, key: str) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPart", key=key, part_number=2, status=403, code="AccessDenied"))
    writer = ObjectWriter(client, BUCKET, key, part_size=PART)
    for _ in range(2):  # a caller that goes on as if nothing was wrong
        with suppress(AccessDeniedError):
            writer.write(content())
    with pytest.raises(AccessDeniedError):
        writer.complete()
    with pytest.raises(NotFoundError):
        client.head_object(BUCKET, key)
    assert uploads_left(client, key) == []


def test_an_abort_does_not_wait_for_parts_that_are_retried(
    server: DevServer, make_client: ClientFactory, key: str
) -> None:
    client = make_client(server.url, retry=RetryPolicy())
    server.plan(FaultRule(FaultKind.REPLY, "UploadPart", key=key, count=None, status=503, code="ServiceUnavailable"))
    writer = ObjectWriter(client, BUCKET, key, part_size=PART)
    writer.write(content(2 * PART))
    while not any(one.key == key for one in server.requests("UploadPart")):
        time.sleep(0.01)
    writer.abort()  # the test's timeout is shorter than the retries
    assert uploads_left(client, key) == []


def test_a_writer_that_may_not_overwrite(client: OSSClient, key: str) -> None:
    writer = ObjectWriter(client, BUCKET, key, {"x-oss-forbid-overwrite": "true"}, part_size=PART)
    writer.write(content())
    client.put_object(BUCKET, key, b"written meanwhile")
    with pytest.raises(AlreadyExistsError):
        writer.complete()
    assert stored(client, key) == b"written meanwhile"
    assert uploads_left(client, key) == []


def test_a_lost_reply_to_complete(server: DevServer, client: OSSClient, key: str) -> None:
    server.plan(FaultRule(FaultKind.DROP_REPLY, "CompleteMultipartUpload", key=key))
    writer = ObjectWriter(client, BUCKET, key, part_size=PART)
    writer.write(content())
    assert writer.complete() == crc64(content())
    assert stored(client, key) == content()


def test_complete_that_fails_before_it_is_done(server: DevServer, client: OSSClient, key: str) -> None:
    server.plan(FaultRule(FaultKind.RESET, "CompleteMultipartUpload", key=key))
    writer = ObjectWriter(client, BUCKET, key, part_size=PART)
    writer.write(content())
    with pytest.raises(TransportError):
        writer.complete()
    assert uploads_left(client, key) == []


def test_parts_grow_so_that_ten_thousand_hold_the_largest_object() -> None:
    sizes = [part_size_at(number) for number in range(1, limits.MAX_PARTS + 1)]
    assert (sizes[0], sizes[999], sizes[1000]) == (8 * limits.MIB, 8 * limits.MIB, 16 * limits.MIB)
    assert sum(sizes) > 5 * 1024 * limits.GIB
    assert max(sizes) <= limits.MAX_PART_SIZE


# ---------------------------------------------------------------- copying

HEADERS = {
    "Content-Type": "text/csv",
    "x-oss-meta-owner": "ümit",
    "x-oss-tagging": "a=1&b=x%20y",
    "Cache-Control": "no-cache",
}


@pytest.mark.parametrize("largest_whole", [limits.MAX_COPY_SIZE, PART])
def test_a_copy_has_everything_of_its_source(
    server: DevServer, client: OSSClient, key: str, largest_whole: int
) -> None:
    client.put_object(BUCKET, key, content(), HEADERS)
    copy_object(client, (BUCKET, key), BUCKET, f"{key} copy", part_size=PART, largest_whole=largest_whole)
    assert stored(client, f"{key} copy") == content()
    info = client.head_object(BUCKET, f"{key} copy")
    assert (info.content_type, info.metadata, info.headers["cache-control"]) == (
        "text/csv",
        {"owner": "ümit"},
        "no-cache",
    )
    assert client.get_object_tagging(BUCKET, f"{key} copy") == {"a": "1", "b": "x y"}
    assert len(server.requests("UploadPartCopy")) == (PARTS if largest_whole == PART else 0)


def test_a_copy_of_an_object_that_changes(server: DevServer, client: OSSClient, key: str) -> None:
    client.put_object(BUCKET, key, content())
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", part_number=5, status=412, code="PreconditionFailed"))
    with pytest.raises(ObjectChangedError):
        copy_object(client, (BUCKET, key), BUCKET, f"{key} copy", part_size=PART, largest_whole=PART)
    assert uploads_left(client, f"{key} copy") == []
    assert {one.headers["x-oss-copy-source-if-match"] for one in server.requests("UploadPartCopy")}


# ---------------------------------------------------------------- the other operations


def test_a_listing_by_folders(client: OSSClient, key: str) -> None:
    for name in ("a", "b/1", "b/2", "c ü/1"):
        client.put_object(BUCKET, f"{key}/{name}", b"x")
    assert [one.key for one in client.list_objects(BUCKET, f"{key}/", delimiter="/")] == [f"{key}/a"]
    assert list(client.list_prefixes(BUCKET, f"{key}/")) == [f"{key}/b/", f"{key}/c ü/"]
    after = client.list_objects(BUCKET, f"{key}/", start_after=f"{key}/b/1")
    assert [one.key for one in after] == [f"{key}/b/2", f"{key}/c ü/1"]
    [*pages] = client.object_pages(BUCKET, f"{key}/", page_size=1)
    assert [one for page in pages for one in page.objects] == list(client.list_objects(BUCKET, f"{key}/"))


def test_many_objects_deleted(server: DevServer, client: OSSClient, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_DELETE", 2)
    keys = [f"{key}/{name}" for name in ("a&b", "ü <c>", "d e+%", "missing", "f")]
    for one in keys[:3]:
        client.put_object(BUCKET, one, b"x")
    assert [failed for _, failed in client.delete_objects(BUCKET, keys)] == [[], [], []]
    assert list(client.list_objects(BUCKET, f"{key}/")) == []
    assert len(server.requests("DeleteMultipleObjects")) == 3


def test_objects_that_oss_did_not_delete(server: DevServer, client: OSSClient, key: str) -> None:
    answer = f"<DeleteResult><Deleted><Key>{key}/1</Key></Deleted></DeleteResult>"
    server.plan(FaultRule(FaultKind.ERROR_BODY, "DeleteMultipleObjects", body=answer))
    assert list(client.delete_objects(BUCKET, [f"{key}/1", f"{key}/2"])) == [([f"{key}/1", f"{key}/2"], [f"{key}/2"])]


def test_tags_appends_and_buckets(client: OSSClient, key: str) -> None:
    assert client.append_object(BUCKET, key, 0, b"one,").crc64 == crc64(b"one,")
    client.append_object(BUCKET, key, 4, b"two")
    assert stored(client, key) == b"one,two"
    client.put_object_tagging(BUCKET, key, {"a+b": "x:1", "c": ""})
    assert client.get_object_tagging(BUCKET, key) == {"a+b": "x:1", "c": ""}
    client.put_object_tagging(BUCKET, key, {})
    assert client.get_object_tagging(BUCKET, key) == {}
    client.put_bucket("another-bucket")
    assert "another-bucket" in client.list_buckets()
    client.delete_bucket("another-bucket")
    assert client.list_buckets() == [BUCKET]
