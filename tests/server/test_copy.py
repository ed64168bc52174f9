"""Copies inside OSS: no byte of the object passes the client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    NotFoundError,
    OSSResumeError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import CopyRequest, IfExists, ObjectOptions, Uploader
from airflow_provider_oss_resume.upload.copy.copy_threads import CopyThreads
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, content

Copy = Callable[..., Any]


@pytest.fixture
def source(client: OSSClient, server: DevServer, key: str) -> str:
    client.put_object(BUCKET, "from/" + key, content(), {"Content-Type": "text/x-test"})
    server.clear_requests()
    return f"oss://{BUCKET}/from/{key}"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def copy(client: OSSClient, source: str, key: str, store: MemoryStore) -> Copy:
    def run(**changes: Any) -> Any:
        values = {"part_size": PART, "copy_threshold": 0, "max_concurrency": 2, **changes}
        return Uploader(client, store).copy(CopyRequest(source, BUCKET, key, **values))

    return run


def stored(client: OSSClient, key: str) -> bytes:
    with client.get_object(BUCKET, key) as (_, blocks):
        return b"".join(blocks)


def assert_no_bytes(server: DevServer) -> None:
    requests = server.requests()
    assert "GetObject" not in {one.operation for one in requests}
    assert sum(one.body_bytes for one in requests if one.operation != "CompleteMultipartUpload") == 0


def test_parts_are_copied_inside_oss(
    server: DevServer, client: OSSClient, copy: Copy, key: str, store: MemoryStore
) -> None:
    result = copy()
    assert_no_bytes(server)
    assert len(server.requests("UploadPartCopy")) == PARTS
    assert stored(client, key) == content()
    assert (result.size, result.parts, result.bytes_sent) == (SIZE, PARTS, 0)
    assert result.crc64 == client.head_object(BUCKET, f"from/{key}").crc64
    assert store.text is None


def test_a_small_object_is_copied_by_one_request_and_keeps_its_headers(
    server: DevServer, client: OSSClient, copy: Copy, key: str
) -> None:
    copy(copy_threshold=SIZE)
    assert_no_bytes(server)
    assert server.requests("InitiateMultipartUpload") == []
    assert stored(client, key) == content()
    assert client.head_object(BUCKET, key).content_type == "text/x-test"


def test_options_replace_the_headers_of_the_source(client: OSSClient, copy: Copy, key: str) -> None:
    copy(copy_threshold=SIZE, options=ObjectOptions(content_type="text/plain"))
    assert client.head_object(BUCKET, key).content_type == "text/plain"


def test_a_copy_resumes_where_the_last_try_stopped(
    server: DevServer, client: OSSClient, copy: Copy, key: str, store: MemoryStore
) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=403, code="AccessDenied", skip=4))
    with pytest.raises(AccessDeniedError):
        copy()
    assert store.text is not None
    held = {one.part_number for one in server.requests("UploadPartCopy") if one.status == 200}
    server.clear_requests()
    result = copy()
    copied = {one.part_number for one in server.requests("UploadPartCopy")}
    # A part that was in flight when the first try failed may have arrived after its log was read.
    assert held.isdisjoint(copied)
    assert (result.resumed, result.parts_reused >= len(held) >= 4) == (True, True)
    assert len(copied) >= PARTS - result.parts_reused
    assert stored(client, key) == content()


def test_a_source_that_was_replaced_is_copied_anew(
    server: DevServer, client: OSSClient, copy: Copy, key: str, store: MemoryStore
) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=403, code="AccessDenied", skip=4))
    with pytest.raises(AccessDeniedError):
        copy()
    client.put_object(BUCKET, "from/" + key, content(seed=5))
    copy()
    assert stored(client, key) == content(seed=5)
    assert [one.key for one in client.list_multipart_uploads(BUCKET, key)] == []


def test_a_source_that_is_replaced_meanwhile_fails_the_copy(
    server: DevServer, client: OSSClient, copy: Copy, key: str
) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=412, code="PreconditionFailed"))
    with pytest.raises(OSSResumeError, match="PreconditionFailed"):
        copy()
    assert [one.key for one in client.list_objects(BUCKET, key)] == []


def test_a_missing_source_and_a_copy_onto_itself_are_refused(client: OSSClient, key: str) -> None:
    with pytest.raises(NotFoundError):
        Uploader(client).copy(CopyRequest(f"oss://{BUCKET}/missing/{key}", BUCKET, key))
    with pytest.raises(ConfigurationError, match="the object itself"):
        CopyRequest(f"oss://{BUCKET}/{key}", BUCKET, key)


@pytest.mark.parametrize("threshold", [0, SIZE])
@pytest.mark.parametrize("choice", [IfExists.SKIP_SAME, IfExists.FAIL, IfExists.SKIP])
def test_a_copy_that_is_there_is_left(
    server: DevServer, copy: Copy, store: MemoryStore, choice: IfExists, threshold: int
) -> None:
    assert not copy(if_exists=choice, copy_threshold=threshold).skipped
    server.clear_requests()
    result = copy(if_exists=choice, copy_threshold=threshold)
    assert (result.skipped, result.bytes_reused) == (True, SIZE)
    assert {one.operation for one in server.requests()} == {"HeadObject"}
    assert store.text is None


@pytest.mark.parametrize("threshold", [0, SIZE])
@pytest.mark.parametrize("choice", list(IfExists))
def test_an_object_of_other_content_is_treated_as_asked(
    client: OSSClient, copy: Copy, key: str, choice: IfExists, threshold: int
) -> None:
    client.put_object(BUCKET, key, b"other")
    if choice is IfExists.FAIL:
        with pytest.raises(AlreadyExistsError, match="differs from the source"):
            copy(if_exists=choice, copy_threshold=threshold)
    else:
        assert copy(if_exists=choice, copy_threshold=threshold).skipped is (choice is IfExists.SKIP)
    is_left = choice in (IfExists.FAIL, IfExists.SKIP)
    assert stored(client, key) == (b"other" if is_left else content())


@pytest.mark.parametrize("threshold", [0, SIZE])
@pytest.mark.parametrize("choice", [IfExists.FAIL, IfExists.SKIP])
def test_an_object_made_meanwhile_is_not_overwritten(
    server: DevServer, client: OSSClient, copy: Copy, key: str, choice: IfExists, threshold: int
) -> None:
    client.put_object(BUCKET, key, b"other")
    server.plan(FaultRule(FaultKind.REPLY, "HeadObject", key=key, status=404, code="NoSuchKey"))
    if choice is IfExists.FAIL:
        with pytest.raises(AlreadyExistsError):
            copy(if_exists=choice, copy_threshold=threshold)
    else:
        assert copy(if_exists=choice, copy_threshold=threshold).skipped
    assert stored(client, key) == b"other"
    assert [one.key for one in client.list_multipart_uploads(BUCKET, key)] == []


def test_an_object_that_may_not_be_overwritten_ends_the_upload_of_an_earlier_try(
    server: DevServer, client: OSSClient, copy: Copy, key: str, store: MemoryStore
) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=403, code="AccessDenied", skip=4))
    with pytest.raises(AccessDeniedError):
        copy()
    client.put_object(BUCKET, key, b"other")
    with pytest.raises(AlreadyExistsError):
        copy(if_exists=IfExists.FAIL)
    assert [one.key for one in client.list_multipart_uploads(BUCKET, key)] == []
    assert store.text is None


def test_a_copy_that_an_earlier_try_completed_is_not_made_again(
    server: DevServer, copy: Copy, store: MemoryStore
) -> None:
    kept = store.delete
    store.delete = lambda: None  # type: ignore[method-assign]  # as if the process died right before
    copy()
    store.delete = kept  # type: ignore[method-assign]
    server.clear_requests()
    result = copy()
    assert (result.resumed, result.bytes_reused) == (True, SIZE)
    assert {one.operation for one in server.requests()} == {"HeadObject", "ListParts"}
    assert store.text is None


def uploads_in_progress(client: OSSClient, key: str) -> list[str]:
    return [one.key for one in client.list_multipart_uploads(BUCKET, key)]


def fail_half_way(server: DevServer, copy: Copy) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=403, code="AccessDenied", skip=4))
    with pytest.raises(AccessDeniedError):
        copy()


def test_a_source_that_is_small_now_leaves_no_upload_behind(
    server: DevServer, client: OSSClient, copy: Copy, key: str, store: MemoryStore
) -> None:
    fail_half_way(server, copy)
    client.put_object(BUCKET, "from/" + key, b"small")
    copy(copy_threshold=PART)
    assert (stored(client, key), uploads_in_progress(client, key), store.text) == (b"small", [], None)


def test_an_upload_whose_parts_may_not_be_listed_is_not_left_behind(
    server: DevServer, client: OSSClient, copy: Copy, key: str
) -> None:
    fail_half_way(server, copy)
    server.plan(FaultRule(FaultKind.REPLY, "ListParts", status=403, code="AccessDenied"))
    copy()
    assert (stored(client, key), uploads_in_progress(client, key)) == (content(), [])


def test_a_request_that_cannot_be_woken_does_not_hold_up_the_stop() -> None:
    released, cut = threading.Event(), threading.Event()

    def hang() -> Part:
        released.wait(60)
        return Part(1, 1, "E")

    threads = CopyThreads(1, cut.set)
    hanging = threads.__enter__()(hang)
    threads.__exit__(UploadCancelled)
    assert (cut.is_set(), hanging.done()) == (True, False)
    released.set()
