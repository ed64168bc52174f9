"""Many files by one call: what is sent, what is skipped, what fails, and what a later try does."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_oss_resume.batch import (
    BatchOutput,
    BatchProgress,
    BatchUploader,
)
from airflow_provider_oss_resume.devserver import FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    EmptySelectionError,
    FilesFailedError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import NamePatterns
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Cancel, IfExists
from tests.server.batches import Batch
from tests.server.uploads import BUCKET, PART

MIXED = {"a.csv": 10, "empty": 0, "deep/er/b.csv": 70_000, "large.bin": 4 * PART + 1, "größer/c d.csv": 3}


def test_all_files_of_a_directory_become_objects(batch: Batch) -> None:
    batch.write(MIXED)
    result = batch.upload()
    assert batch.objects() == batch.files()
    counts = result.counts
    assert (counts.files, counts.sent, counts.skipped, counts.failed) == (5, 5, 0, 0)
    assert counts.bytes == counts.bytes_sent == sum(MIXED.values())
    assert {one.key: one.crc64 for one in result.results} == {
        batch.prefix + name: crc64(data) for name, data in batch.files().items()
    }
    assert batch.store.text is None
    assert batch.uploads_left() == []


def test_the_second_run_sends_nothing(batch: Batch) -> None:
    batch.write(MIXED)
    batch.upload()
    batch.server.clear_requests()
    result = batch.upload()
    assert batch.sent() == []
    assert (result.counts.skipped, result.counts.sent, result.counts.bytes_sent) == (5, 0, 0)
    assert result.counts.bytes_reused == sum(MIXED.values())
    # The ETag of a simple object is in the listing: only the object of a multipart upload needs a HEAD request.
    assert {one.key for one in batch.server.requests("HeadObject")} == {batch.prefix + "large.bin"}


def test_a_file_of_the_same_size_with_other_bytes_is_sent_again(batch: Batch) -> None:
    batch.write(MIXED)
    batch.upload()
    for name in ("a.csv", "large.bin"):
        path = batch.folder / name
        path.write_bytes(bytes(len(path.read_bytes())))
    batch.server.clear_requests()
    batch.upload()
    assert batch.sent() == ["a.csv", "large.bin"]
    assert batch.objects() == batch.files()


def test_overwrite_sends_everything_again(batch: Batch) -> None:
    batch.write(MIXED)
    batch.upload()
    batch.server.clear_requests()
    assert batch.upload(if_exists=IfExists.OVERWRITE).counts.sent == 5
    assert batch.server.requests("ListObjectsV2") == []


def test_skip_leaves_objects_of_any_content(batch: Batch) -> None:
    batch.write(MIXED)
    for name in ("a.csv", "large.bin"):
        batch.client.put_object(BUCKET, batch.prefix + name, b"other")
    batch.server.clear_requests()
    result = batch.upload(if_exists=IfExists.SKIP)
    assert (result.counts.sent, result.counts.skipped) == (3, 2)
    assert batch.objects() == {**batch.files(), "a.csv": b"other", "large.bin": b"other"}


def test_fail_refuses_objects_of_other_content_and_accepts_its_own(batch: Batch) -> None:
    batch.write(MIXED)
    batch.upload()
    assert batch.upload(if_exists=IfExists.FAIL).counts.skipped == 5
    (batch.folder / "a.csv").write_bytes(b"a" * 10)
    (batch.folder / "large.bin").write_bytes(b"changed")
    before = batch.objects()
    with pytest.raises(FilesFailedError, match="2 of 5 files failed") as caught:
        batch.upload(if_exists=IfExists.FAIL)
    assert caught.value.permanent
    assert batch.objects() == before


def test_two_files_with_one_key_are_refused_before_the_first_byte(batch: Batch) -> None:
    batch.write({"a/x.csv": 5, "b/x.csv": 5, "c.csv": 5})
    with pytest.raises(ConfigurationError, match=r"a/x\.csv' and '.*b/x\.csv' have the same key"):
        batch.upload(key=batch.prefix + "{name}")
    assert batch.server.requests() == []


def test_a_template_names_the_keys(batch: Batch) -> None:
    batch.write({"a/x.tar.gz": 5, "b/y.csv": 6})
    batch.upload(key=batch.prefix + "{index}-{stem}{suffix}/{path}")
    assert set(batch.objects()) == {"0-x.tar.gz/a/x.tar.gz", "1-y.csv/b/y.csv"}


def test_failures_do_not_stop_the_others_and_the_retry_sends_them(batch: Batch) -> None:
    batch.write({f"{number}.csv": 100 for number in range(30)})
    rules = [
        FaultRule(FaultKind.REPLY, "PutObject", key=f"{batch.prefix}{number}.csv", status=403, code="AccessDenied")
        for number in (3, 17)
    ]
    for rule in rules:
        batch.server.plan(rule)
    with pytest.raises(FilesFailedError, match="2 of 30 files failed; 28 are in the bucket") as caught:
        batch.upload()
    assert {Path(one.location).name for one in caught.value.failed} == {"3.csv", "17.csv"}
    assert "17.csv'" in str(caught.value)
    batch.server.clear_requests()
    assert batch.upload().counts.skipped == 28
    assert batch.sent() == ["17.csv", "3.csv"]
    assert batch.objects() == batch.files()


def test_names_that_cannot_be_keys_fail_alone(batch: Batch) -> None:
    batch.write({"good.csv": 10})
    Path(os.fsdecode(os.fsencode(batch.folder) + b"/b\xffd.csv")).write_bytes(b"x")
    long = batch.folder / ("d" * 200) / ("e" * 200) / ("f" * 200) / ("g" * 200) / ("h" * 200) / ("i" * 30)
    long.parent.mkdir(parents=True)
    long.write_bytes(b"x")
    with pytest.raises(FilesFailedError, match="2 of 3 files failed") as caught:
        batch.upload()
    reasons = " ".join(one.reason for one in caught.value.failed)
    assert "not UTF-8" in reasons
    assert "1023" in reasons or "1,023" in reasons
    assert "good.csv" in batch.objects()


def test_a_directory_that_may_not_be_read_fails_alone(batch: Batch) -> None:
    batch.write({"good.csv": 10})
    selection = LocalSelection([batch.folder, batch.folder / "missing.csv"])
    with pytest.raises(FilesFailedError, match="no such file") as caught:
        batch.upload(selection=selection)
    assert not caught.value.permanent
    assert set(batch.objects()) == {"good.csv"}


def test_an_empty_selection_fails_unless_it_may_be_empty(batch: Batch) -> None:
    with pytest.raises(EmptySelectionError):
        batch.upload()
    output = BatchOutput(success_key=batch.prefix + "_SUCCESS")
    assert batch.upload(allow_empty=True, output=output).counts.files == 0
    assert batch.objects() == {"_SUCCESS": b""}


def test_the_manifest_lists_all_files_and_success_is_written_last(batch: Batch) -> None:
    batch.write(MIXED)
    output = BatchOutput(batch.prefix + "manifest.jsonl", batch.prefix + "_SUCCESS", results_limit=2)
    for _ in range(2):  # the second run skips all files
        batch.server.clear_requests()
        result = batch.upload(output=output)
        assert len(result.results) == 2
        written = [one.key for one in batch.server.requests() if one.operation == "PutObject"]
        assert written[-2:] == [output.manifest_key, output.success_key]
        lines = [json.loads(line) for line in batch.read(batch.prefix + "manifest.jsonl").splitlines()]
        expected = [
            {
                "source": str(batch.folder / name),
                "key": batch.prefix + name,
                "size": len(data),
                "crc64": str(crc64(data)),
                "etag": batch.client.head_object(BUCKET, batch.prefix + name).etag,
            }
            for name, data in batch.files().items()
        ]
        assert lines == sorted(expected, key=lambda entry: str(entry["key"]).encode())


def test_no_success_object_after_a_failure(batch: Batch) -> None:
    batch.write({"a.csv": 10})
    batch.server.plan(FaultRule(FaultKind.REPLY, "PutObject", status=403, code="AccessDenied"))
    output = BatchOutput(batch.prefix + "manifest.jsonl", batch.prefix + "_SUCCESS")
    with pytest.raises(FilesFailedError):
        batch.upload(output=output)
    assert batch.objects() == {}


def test_a_large_file_resumes_where_the_last_try_stopped(batch: Batch) -> None:
    batch.write({"large.bin": 8 * PART, "small.csv": 10})
    rule = FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=5)
    batch.server.plan(rule)
    with pytest.raises(FilesFailedError):
        batch.upload()
    assert batch.store.text is not None
    held = {one.part_number for one in batch.server.requests("UploadPart") if one.status == 200}
    batch.server.clear_requests()
    result = batch.upload()
    again = {one.part_number for one in batch.server.requests("UploadPart")}
    assert again == set(range(1, 9)) - held
    assert result.counts.bytes_reused == len(held) * PART + 10
    assert batch.objects() == batch.files()
    assert batch.store.text is None


def test_the_checkpoint_holds_uploads_in_progress_only(batch: Batch) -> None:
    batch.write({"large.bin": 8 * PART, **{f"{number}.csv": 10 for number in range(300)}})
    batch.server.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=5))
    with pytest.raises(FilesFailedError):
        batch.upload()
    assert batch.store.text is not None
    assert len(batch.store.text) < 3000


def test_an_upload_whose_file_is_not_selected_any_more_is_aborted(batch: Batch) -> None:
    batch.write({"large.bin": 8 * PART, "small.csv": 10})
    batch.server.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=5))
    with pytest.raises(FilesFailedError):
        batch.upload()
    assert batch.uploads_left() == [batch.prefix + "large.bin"]
    (batch.folder / "large.bin").unlink()
    batch.upload()
    assert batch.uploads_left() == []
    assert batch.store.text is None


@contextmanager
def held_requests(batch: Batch, *operations: str) -> Iterator[None]:
    """Upload while the server holds all requests of some operations; at the end they go on."""
    for operation in operations:
        batch.server.plan(FaultRule(FaultKind.DELAY, operation, count=None, seconds=3600))
    with ThreadPoolExecutor(1) as threads:
        upload = threads.submit(batch.upload)
        try:
            yield
        finally:
            batch.server.clear_faults()
        upload.result()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_small_files_do_not_wait_for_a_large_one(batch: Batch) -> None:
    batch.write({"0-large.bin": 40 * PART, **{f"{number}.csv": 10 for number in range(1, 30)}})
    with held_requests(batch, "UploadPart"):
        wait_until(lambda: len(batch.server.requests("PutObject")) == 29)
        assert batch.server.requests("UploadPart") == []
    assert batch.objects() == batch.files()


def test_files_and_parts_share_one_limit(batch: Batch) -> None:
    batch.write({"a.bin": 10 * PART, "b.bin": 10 * PART, **{f"{number}.csv": 10 for number in range(40)}})
    with held_requests(batch, "UploadPart", "PutObject"):
        wait_until(lambda: batch.server.faults_fired() >= 4)
        assert {batch.server.faults_fired() for _ in range(50)} == {4}
    assert batch.objects() == batch.files()


def test_a_listing_that_is_denied_is_replaced_by_single_requests(batch: Batch) -> None:
    batch.write(MIXED)
    batch.upload()
    batch.server.plan(FaultRule(FaultKind.REPLY, "ListObjectsV2", status=403, code="AccessDenied"))
    batch.server.clear_requests()
    assert batch.upload().counts.skipped == 5
    assert batch.sent() == []


def test_a_wrong_key_ends_the_batch_at_once(batch: Batch) -> None:
    batch.write({f"{number}.csv": 10 for number in range(50)})
    rule = FaultRule(FaultKind.REPLY, "PutObject", status=403, code="InvalidAccessKeyId", count=None)
    batch.server.plan(rule)
    with pytest.raises(AccessDeniedError, match="InvalidAccessKeyId"):
        batch.upload()
    assert len(batch.server.requests("PutObject")) <= 8


def test_a_hundred_failures_in_a_row_end_the_batch(batch: Batch) -> None:
    batch.write({f"{number}.csv": 10 for number in range(300)})
    batch.server.plan(FaultRule(FaultKind.REPLY, "PutObject", status=403, code="AccessDenied", count=None))
    with pytest.raises(FilesFailedError, match="of 300 files failed"):
        batch.upload()
    assert 100 <= len(batch.server.requests("PutObject")) <= 104


def test_a_stop_keeps_the_parts(batch: Batch) -> None:
    batch.write({"large.bin": 30 * PART, "small.csv": 10})
    batch.server.plan(FaultRule(FaultKind.DELAY, "UploadPart", count=None, seconds=0.4))
    cancel = Cancel()

    def stop(progress: BatchProgress) -> None:
        cancel.request("as planned")

    with pytest.raises(UploadCancelled, match="as planned"):
        BatchUploader(batch.client, batch.store, progress=stop).upload(batch.request(), cancel)
    assert batch.store.text is not None
    batch.server.clear_faults()
    held = {one.part_number for one in batch.server.requests("UploadPart") if one.status == 200}
    batch.server.clear_requests()
    batch.upload()
    assert {one.part_number for one in batch.server.requests("UploadPart")}.isdisjoint(held)
    assert batch.objects() == batch.files()


def test_progress_is_in_files_and_bytes(batch: Batch) -> None:
    batch.write(MIXED)
    batch.upload()
    last = batch.progress[-1]
    assert (last.files_done, last.files_total, last.percent) == (5, 5, 100.0)
    assert last.bytes_done == last.bytes_total == sum(MIXED.values())


def test_include_and_exclude_choose_by_name_and_by_path(batch: Batch) -> None:
    batch.write({"a.csv": 1, "b.tmp": 2, "x/c.csv": 3, "x/skip/d.csv": 4})
    names = NamePatterns(include=["*.csv"], exclude=["x/skip/**"])
    batch.upload(selection=LocalSelection([batch.folder], names))
    assert set(batch.objects()) == {"a.csv", "x/c.csv"}


def test_an_upload_that_another_client_started_is_adopted(batch: Batch) -> None:
    batch.write({"large.bin": 6 * PART, "small.csv": 10})
    key, data = batch.prefix + "large.bin", batch.files()["large.bin"]
    upload_id = batch.client.initiate_multipart_upload(BUCKET, key)
    for number in (1, 2, 3, 4):
        part = data[(number - 1) * PART : number * PART]
        batch.client.upload_part(BUCKET, key, upload_id, number, part)
    batch.server.clear_requests()
    result = batch.upload()
    assert {one.part_number for one in batch.server.requests("UploadPart")} == {5, 6}
    assert (result.counts.bytes_reused, batch.uploads_left()) == (4 * PART, [])
    assert batch.objects() == batch.files()


class BrokenStore(MemoryStore):
    """A store that is down."""

    def load(self) -> str | None:
        raise RuntimeError("the API server does not answer")

    def save(self, text: str) -> None:
        raise RuntimeError("the API server does not answer")

    def delete(self) -> None:
        raise RuntimeError("the API server does not answer")


def test_a_store_that_is_down_does_not_fail_the_batch(batch: Batch) -> None:
    batch.store = BrokenStore()
    batch.write(MIXED)
    assert batch.upload().counts.sent == len(MIXED)
    assert batch.objects() == batch.files()


class NotedStore(MemoryStore):
    """A store that notes the threads that call it."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[str] = set()

    def load(self) -> str | None:
        self.threads.add(threading.current_thread().name)
        return super().load()

    def save(self, text: str) -> None:
        self.threads.add(threading.current_thread().name)
        super().save(text)

    def delete(self) -> None:
        self.threads.add(threading.current_thread().name)
        super().delete()


def test_only_the_store_thread_calls_the_store(batch: Batch) -> None:
    noted = batch.store = NotedStore()
    batch.write({"large.bin": 8 * PART, "small.csv": 10})
    batch.server.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=5))
    with pytest.raises(FilesFailedError):
        batch.upload()
    (batch.folder / "large.bin").unlink()
    batch.upload()
    assert (noted.threads, noted.text, batch.uploads_left()) == ({"oss-resume-store"}, None, [])
