"""What is on disk: it survives SIGKILL, holds no rubbish, and ends are cheap."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.devserver.storage import RootInUse, open_storage
from airflow_provider_oss_resume.devserver.storage.database import transaction
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord, UploadRecord
from airflow_provider_oss_resume.oss.crc64 import combine_all
from tests.devserver.wire import MIN_PART, Wire, half_a_request, md5


def files(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "blobs").glob("*/*")) + sorted(
        path.name for path in (root / "incoming").iterdir()
    )


def test_an_upload_continues_after_a_sigkill_in_the_middle_of_a_part(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    wire.send("PUT", "before", {}, {"x-oss-meta-a": "b"}, b"stays")
    upload_id = wire.initiate("key", {"x-oss-storage-class": "IA"})
    first = wire.part("key", upload_id, 1, b"1" * MIN_PART)
    query = {"partNumber": "2", "uploadId": upload_id}
    with half_a_request(own_server, wire, "key", query, 4 << 20):
        _wait_for(own_server.root / "incoming")
        own_server.kill()
    assert len(files(own_server.root)) == 3  # object, part, and a part that was coming in
    own_server.start()
    assert len(files(own_server.root)) == 2
    assert wire.send("GET", "before").body == b"stays"
    listed = wire.send("GET", "key", {"uploadId": upload_id})
    assert listed.texts("Part/PartNumber") == ["1"]
    assert listed.texts("Part/HashCrc64ecma") == [first.headers["x-oss-hash-crc64ecma"]]
    second = wire.part("key", upload_id, 2, b"2")
    parts = [(1, first.headers["etag"]), (2, second.headers["etag"])]
    assert wire.complete("key", upload_id, parts).status == 200
    own_server.kill()
    own_server.start()
    assert wire.send("GET", "key").body == b"1" * MIN_PART + b"2"
    assert wire.send("HEAD", "key").headers["x-oss-storage-class"] == "IA"
    operations = [record.operation for record in own_server.requests()]
    assert operations.count("UploadPart") == 2  # the log outlives the server too
    assert [record.seq for record in own_server.requests()] == list(range(1, len(operations) + 1))


def test_killed_at_any_moment_the_server_holds_whole_parts_or_none(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    upload_id = wire.initiate("key")
    for kill in range(3):
        sender = threading.Thread(target=_send_until_it_fails, args=(wire, upload_id, kill * 1000))
        sender.start()
        time.sleep(0.15 + 0.05 * kill)
        own_server.kill()
        sender.join()
        own_server.start()
        listed = wire.send("GET", "key", {"uploadId": upload_id})
        numbers = [int(number) for number in listed.texts("Part/PartNumber")]
        assert set(listed.texts("Part/Size")) <= {str(MIN_PART)}
        assert listed.texts("Part/ETag") == [f'"{md5(_part(number))}"' for number in numbers]
        assert len(files(own_server.root)) == len(numbers)
    assert numbers
    parts = [(number, md5(_part(number))) for number in numbers]
    assert wire.complete("key", upload_id, parts).status == 200
    assert wire.send("GET", "key").body == b"".join(map(_part, numbers))


def test_replaced_aborted_and_deleted_bytes_leave_the_disk(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    wire.send("PUT", "key", body=b"1")
    wire.send("PUT", "key", body=b"2")
    assert len(files(own_server.root)) == 1
    upload_id = wire.initiate("key")
    etags = {n: wire.part("key", upload_id, n, b"x" * MIN_PART).headers["etag"] for n in (1, 1, 2)}
    assert len(files(own_server.root)) == 3
    wire.complete("key", upload_id, [(1, etags[1])])
    assert len(files(own_server.root)) == 1  # the old object and the unlisted part are gone
    gone = wire.initiate("other")
    wire.part("other", gone, 1, b"x")
    wire.send("DELETE", "other", {"uploadId": gone})
    wire.send("PUT", "bad", {}, {"Content-MD5": "XUFAKrxLKna5cZ2REBfFkg=="}, b"not that")
    wire.send("DELETE", "key")
    assert files(own_server.root) == []


def test_a_part_whose_upload_ends_meanwhile_is_dropped(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    upload_id = wire.initiate("key")
    own_server.plan(FaultRule(FaultKind.THROTTLE, "UploadPart", bytes_per_second=100_000))
    answers = []
    slow = threading.Thread(target=lambda: answers.append(wire.part("key", upload_id, 1, b"x" * 50_000)))
    slow.start()
    _wait_for(own_server.root / "incoming")
    assert wire.send("DELETE", "key", {"uploadId": upload_id}).status == 204
    slow.join()
    assert answers[0].error == (404, "NoSuchUpload")
    assert files(own_server.root) == []


def test_ten_thousand_parts_complete_without_touching_their_bytes(tmp_path: Path) -> None:
    root = tmp_path / "oss"
    upload_id, crc, etag = _prepare_upload(root, 10_000)
    before = {path.name: path.stat().st_mtime_ns for path in (root / "blobs").glob("*/*")}
    with DevServer(root) as server:
        wire = Wire(server.url, "examplebucket")
        done = wire.complete("key", upload_id, [(n, etag) for n in range(1, 10_001)])
        assert done.headers["x-oss-hash-crc64ecma"] == str(crc)
        assert done.headers["etag"].endswith('-10000"')
        assert wire.send("HEAD", "key").headers["content-length"] == str(10_000 * MIN_PART)
        last = wire.send("GET", "key", {}, {"Range": f"bytes={10_000 * MIN_PART - 5}-"})
        assert last.body == b"ppppp"
    assert {path.name: path.stat().st_mtime_ns for path in (root / "blobs").glob("*/*")} == before


def test_the_servers_memory_does_not_grow_with_the_body(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    block = os.urandom(1 << 20)
    wire.send("PUT", "warm", body=block)
    before = _peak_kib(own_server.pid)
    assert wire.send("PUT", "big", body=(block for _ in range(256))).status == 200
    assert wire.send("HEAD", "big").headers["content-length"] == str(256 << 20)
    assert _peak_kib(own_server.pid) - before < 64 << 10


def test_a_directory_serves_one_server_at_a_time(own_server: DevServer) -> None:
    with pytest.raises(RootInUse):
        open_storage(own_server.root)
    with pytest.raises(RuntimeError, match="another dev server uses"):
        DevServer(own_server.root).start()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    database = storage.buckets.database

    def half() -> None:
        with transaction(database):
            storage.buckets.save(BucketRecord("examplebucket", 0.0))
            database.execute("INSERT INTO buckets VALUES ('examplebucket', NULL, NULL, NULL)")

    with pytest.raises(sqlite3.IntegrityError):
        half()
    assert storage.buckets.all() == []
    database.close()
    storage.lock.close()


def test_damage_at_rest_is_seen_by_listing_not_by_the_reply(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.CORRUPT, "UploadPart", when=FaultMoment.AFTER, offset=1))
    upload_id = wire.initiate("key")
    assert wire.part("key", upload_id, 1, b"abc").headers["etag"] == f'"{md5(b"abc")}"'
    listed = wire.send("GET", "key", {"uploadId": upload_id})
    assert listed.texts("Part/ETag") == [f'"{md5(b"acc")}"']


def _wait_for(directory: Path) -> None:
    deadline = time.monotonic() + 10
    while not any(directory.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _part(number: int) -> bytes:
    return number.to_bytes(4, "big") * (MIN_PART // 4)


def _send_until_it_fails(wire: Wire, upload_id: str, first: int) -> None:
    for number in range(first + 1, first + 1000):
        try:
            wire.part("key", upload_id, number, _part(number))
        except OSError:
            return


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _prepare_upload(root: Path, count: int) -> tuple[str, int, str]:
    """Put an upload into the directory of a server that is not running; the parts share their bytes."""
    storage = open_storage(root)
    storage.buckets.save(BucketRecord("examplebucket", 0.0))
    storage.uploads.add(UploadRecord("U" * 32, "examplebucket", "key", 0.0))
    incoming = storage.blobs.new()
    incoming.write([b"p" * MIN_PART])
    digests, blob = incoming.digests(), storage.blobs.publish(incoming)
    database = storage.buckets.database
    rows = (
        ("U" * 32, number, MIN_PART, digests.md5, str(digests.crc), 0.0, storage.blobs.clone(blob))
        for number in range(1, count + 1)
    )
    with transaction(database):
        database.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    storage.blobs.delete([blob])
    database.close()
    storage.lock.close()
    return "U" * 32, combine_all([(digests.crc, MIN_PART)] * count), digests.md5
