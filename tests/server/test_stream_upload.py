"""Parts that arrive one after another: sent, resumed, verified."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import FaultKind
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    CallbackFailedError,
    ConfigurationError,
    SourceError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import (
    Cancel,
    ObjectOptions,
    Owner,
    Phase,
    StreamRequest,
    StreamUpload,
    UploadResult,
)
from tests.server.uploads import BUCKET, PART, Scene, content, with_store

LENGTHS = (PART, PART + 17, 3 * PART, PART, 2 * PART + 1, 5)
"""Of six parts; the last one may be short."""


def parts(seed: int = 0) -> list[bytes]:
    return [content(length, seed=number + 100 * seed) for number, length in enumerate(LENGTHS, 1)]


def stream(scene: Scene, cancel: Cancel | None = None, owner: Owner | None = None, **changes: Any) -> StreamUpload:
    values = {"identity": "SELECT 1", "max_concurrency": 1, **changes}
    return scene.uploader(owner=owner).stream(StreamRequest("sql://orders", BUCKET, scene.key, **values), cancel)


def send(upload: StreamUpload, data: list[bytes], note: str = "") -> None:
    for part in data:
        upload.send(part, note=note)


def send_all(scene: Scene, data: list[bytes], **changes: Any) -> UploadResult:
    """Make all parts anew, as for a pipe that is read from its start."""
    with stream(scene, **changes) as upload:
        for number, part in enumerate(data, 1):
            upload.send(part, note=f"row {number}", raw_crc64=number)
        return upload.finish()


def die_after(scene: Scene, sent: int, data: list[bytes] | None = None) -> None:
    """Let a try fail when ``sent`` parts have arrived, and forget its requests."""
    scene.fail("UploadPart", 403, "AccessDenied", skip=sent)
    with pytest.raises(AccessDeniedError):
        send_all(scene, data or parts())
    scene.server.clear_requests()


def assert_done(scene: Scene, result: UploadResult, data: list[bytes]) -> None:
    whole = b"".join(data)
    assert scene.stored() == whole
    assert (result.size, result.crc64, result.parts) == (len(whole), crc64(whole), len(data))
    assert scene.uploads_left() == []
    assert scene.store.text is None


@pytest.mark.parametrize("max_concurrency", [1, 4])
def test_parts_of_unequal_length_become_one_object(scene: Scene, max_concurrency: int) -> None:
    result = send_all(scene, parts(), max_concurrency=max_concurrency)
    assert_done(scene, result, parts())
    assert (result.parts_sent, result.parts_reused, result.resumed) == (6, 0, False)
    assert scene.sent() == [1, 2, 3, 4, 5, 6]
    assert (scene.progress[-1].phase, scene.progress[-1].percent) == (Phase.DONE, 100.0)


def test_without_a_part_the_object_is_empty(scene: Scene) -> None:
    with stream(scene) as upload:
        result = upload.finish()
    assert (scene.stored(), result.parts, scene.count("InitiateMultipartUpload")) == (b"", 0, 0)


def test_headers_are_those_of_the_options(scene: Scene) -> None:
    send_all(scene, parts(), options=ObjectOptions(content_type="text/csv", metadata={"run": "7"}))
    found = scene.client.head_object(BUCKET, scene.key).headers
    assert (found["content-type"], found["x-oss-meta-run"]) == ("text/csv", "7")


def test_a_retry_that_makes_all_parts_again_sends_only_those_that_are_missing(scene: Scene) -> None:
    die_after(scene, 3)
    result = send_all(scene, parts())
    assert_done(scene, result, parts())
    assert (scene.sent(), result.parts_reused, result.resumed) == ([4, 5, 6], 3, True)
    assert result.bytes_reused == sum(LENGTHS[:3])


def test_a_retry_can_continue_in_the_middle_by_the_note_of_the_last_part(scene: Scene) -> None:
    die_after(scene, 4)
    with stream(scene) as upload:
        notes = []
        while (held := upload.next_held) is not None:
            notes.append((held.number, held.length, held.crc64, held.raw_crc64, held.note))
            assert upload.keep() == held
        assert upload.next_number == 5
        for part in parts()[4:]:
            upload.send(part)
        result = upload.finish()
    sent = enumerate(parts()[:4], 1)
    assert notes == [(number, len(part), crc64(part), number, f"row {number}") for number, part in sent]
    assert_done(scene, result, parts())
    assert scene.sent() == [5, 6]


def test_parts_behind_a_gap_are_reused_too(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=2, seconds=30.0)
    with stream(scene, max_concurrency=4) as upload:
        send(upload, parts()[:4])
        while len(scene.parts_left(scene.checkpoint.upload_id)) < 3:
            upload.tick()
    scene.server.clear_requests()
    with stream(scene) as upload:
        assert sorted(upload.held) == [1, 3, 4]
        for part in parts():
            upload.send(part)
        assert_done(scene, upload.finish(), parts())
    assert scene.sent() == [2, 5, 6]


def test_a_part_with_other_bytes_replaces_the_one_in_the_bucket(scene: Scene) -> None:
    die_after(scene, 4)
    changed = [parts()[0], content(LENGTHS[1], seed=77), content(LENGTHS[2] - 1, seed=78), *parts()[3:]]
    result = send_all(scene, changed)
    assert_done(scene, result, changed)
    assert (scene.sent(), result.parts_reused) == ([2, 3, 5, 6], 2)


def test_a_shorter_stream_leaves_out_the_rest(scene: Scene) -> None:
    die_after(scene, 5)
    result = send_all(scene, parts()[:2])
    assert_done(scene, result, parts()[:2])
    assert scene.sent() == []


@pytest.mark.parametrize("change", [{"identity": "SELECT 2"}, {"options": {"content_type": "text/csv"}}], ids=str)
def test_another_stream_is_not_resumed(scene: Scene, change: dict[str, Any]) -> None:
    if "options" in change:
        change = {"options": ObjectOptions(**change["options"])}
    die_after(scene, 3)
    result = send_all(scene, parts(), **change)
    assert_done(scene, result, parts())
    assert (scene.sent(), scene.count("AbortMultipartUpload")) == ([1, 2, 3, 4, 5, 6], 1)


def test_the_checkpoint_of_a_file_is_not_resumed_by_a_stream_nor_the_other_way(scene: Scene) -> None:
    scene.stop_after(3)
    assert_done(scene, send_all(scene, parts()), parts())
    die_after(scene, 3)
    scene.assert_done(scene.upload())


def test_without_permission_to_list_parts_the_checkpoint_tells(scene: Scene) -> None:
    die_after(scene, 3)
    scene.fail("ListParts", 403, "AccessDenied", count=None)
    result = send_all(scene, parts())
    assert scene.sent() == [4, 5, 6]
    assert result.parts_reused == 3


def test_an_upload_that_is_gone_starts_again(scene: Scene) -> None:
    die_after(scene, 3)
    scene.client.abort_multipart_upload(BUCKET, scene.key, scene.checkpoint.upload_id)
    assert_done(scene, send_all(scene, parts()), parts())
    assert scene.sent() == [1, 2, 3, 4, 5, 6]


class DiesAtDelete(MemoryStore):
    """The process dies before the checkpoint is deleted."""

    armed = True

    def delete(self) -> None:
        if not self.armed:
            super().delete()


def test_an_object_that_an_earlier_try_completed_is_recognized(scene: Scene) -> None:
    scene = with_store(scene, DiesAtDelete())
    first = send_all(scene, parts())
    assert scene.store.text is not None
    scene.server.clear_requests()
    scene.store.armed = False
    with stream(scene) as upload:
        assert upload.is_complete
        with pytest.raises(ConfigurationError, match="no more parts"):
            upload.send(parts()[0])
        result = upload.finish()
    assert (result.crc64, result.size, result.etag) == (first.crc64, first.size, first.etag)
    assert (scene.sent(), scene.count("CompleteMultipartUpload"), scene.store.text) == ([], 0, None)


def test_another_object_at_the_key_is_not_taken_for_it(scene: Scene) -> None:
    scene = with_store(scene, DiesAtDelete())
    send_all(scene, parts())
    scene.client.put_object(BUCKET, scene.key, b"other")
    scene.store.armed = False
    with stream(scene) as upload:
        assert not upload.is_complete
        for part in parts():
            upload.send(part)
        assert_done(scene, upload.finish(), parts())


def test_an_error_of_the_caller_keeps_the_parts(scene: Scene) -> None:
    def fail() -> None:
        with stream(scene) as upload:
            upload.send(parts()[0], note="here")
            upload.send(parts()[1])
            raise SourceError("the query failed")

    with pytest.raises(SourceError, match="the query failed"):
        fail()
    with stream(scene) as upload:
        assert upload.held[1].note == "here"


def test_without_a_store_an_upload_that_is_left_is_aborted(scene: Scene) -> None:
    with stream(with_store(scene, None)) as upload:
        upload.send(parts()[0])
    assert scene.uploads_left() == []


def test_memory_holds_as_many_parts_as_are_sent_at_once(scene: Scene) -> None:
    """The caller waits: otherwise a fast query fills the memory before the first part has gone."""
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.2, count=None)
    most = 0
    with stream(scene, max_concurrency=2) as upload:
        for part in parts():
            upload.send(part)
            assert upload._sending is not None
            most = max(most, upload._sending.parts_in_memory)
        upload.finish()
    assert most == 2


def test_a_stop_request_ends_a_send_that_waits(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=60.0, count=None)
    stop = Cancel()
    timer = threading.Timer(0.3, lambda: stop.request("killed", grace=0.0))
    timer.start()
    with stream(scene, stop) as upload, pytest.raises(UploadCancelled, match="killed"):
        send(upload, parts())
    timer.join()
    assert scene.checkpoint.upload_id in scene.uploads_left()


@pytest.mark.parametrize(
    ("data", "note", "message"),
    [
        ([b""], "", "a part has 0 bytes"),
        ([b"x", b"y"], "", "part 1 has 1 bytes and is not the last part"),
        ([b"x"], "é" * 32_769, "the note has 65538 bytes"),
    ],
)
def test_parts_that_cannot_be(scene: Scene, data: list[bytes], note: str, message: str) -> None:
    with stream(scene) as upload, pytest.raises(ConfigurationError, match=message):
        send(upload, data, note)


def test_keep_needs_a_part_in_the_bucket(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match="holds no part 1"), stream(scene) as upload:
        upload.keep()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"bandwidth_limit": "x"}, "bandwidth_limit"),
        ({"callback_required": "no"}, "must be True or False"),
    ],
)
def test_requests_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        StreamRequest("sql://orders", BUCKET, "key", **changes)


def left_in_the_bucket(scene: Scene, *numbers: int, seed: int = 0) -> str:
    """Return an upload without a checkpoint that has these parts."""
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    for number in numbers:
        scene.client.upload_part(BUCKET, scene.key, upload_id, number, parts(seed)[number - 1])
    scene.server.clear_requests()
    return upload_id


def test_the_upload_of_a_lost_checkpoint_is_found(scene: Scene) -> None:
    die_after(scene, 3)
    left = scene.checkpoint.upload_id
    scene.store.delete()
    result = send_all(scene, parts())
    assert_done(scene, result, parts())
    assert (result.upload_id, result.parts_reused, result.recovered, scene.sent()) == (left, 3, True, [4, 5, 6])


def test_of_two_uploads_the_one_with_the_most_bytes_is_used(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    large, small = left_in_the_bucket(scene, 1, 2, 3), left_in_the_bucket(scene, 1)
    result = send_all(scene, parts())
    assert (result.upload_id, result.parts_reused, scene.uploads_left()) == (large, 3, [small])
    assert f"upload {small} of {BUCKET}/{scene.key}" in caplog.text
    assert "another upload has more" in caplog.text
    scene.client.abort_multipart_upload(BUCKET, scene.key, small)


def test_an_upload_that_begins_in_another_way_is_not_used(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    left = left_in_the_bucket(scene, 1, 2, 3, seed=1)
    result = send_all(scene, parts())
    assert (result.parts_reused, scene.uploads_left(), scene.stored()) == (0, [left], b"".join(parts()))
    assert "it begins with other bytes than this stream" in caplog.text
    scene.client.abort_multipart_upload(BUCKET, scene.key, left)


@pytest.mark.parametrize(("try_number", "reused"), [(1, 0), (2, 1)])
def test_only_a_retry_uses_an_upload_without_a_first_part(scene: Scene, try_number: int, reused: int) -> None:
    """Parts are sent at the same time: the second one may arrive before the first."""
    left = left_in_the_bucket(scene, 2)
    result = send_all(scene, parts(), owner=Owner(try_number=try_number))
    assert (result.parts_reused, scene.stored()) == (reused, b"".join(parts()))
    if not reused:
        scene.client.abort_multipart_upload(BUCKET, scene.key, left)
    assert scene.uploads_left() == []


def test_an_upload_without_parts_is_used(scene: Scene) -> None:
    left = left_in_the_bucket(scene)
    result = send_all(scene, parts())
    assert_done(scene, result, parts())
    assert result.upload_id == left


@pytest.mark.parametrize("required", [True, False])
def test_a_callback_of_an_object_of_one_request_that_fails(scene: Scene, required: bool) -> None:
    options = ObjectOptions(callback={"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "a"})
    refusal = pytest.raises(CallbackFailedError) if required else nullcontext()
    with refusal, stream(scene, options=options, callback_required=required) as upload:
        upload.store(b"a,b")
        upload.finish()
    assert scene.stored() == b"a,b"
