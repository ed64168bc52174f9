"""A second try: it sends what the bucket lacks, and nothing else makes it send more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint.ownership import this_process
from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import OwnerProcess
from airflow_provider_oss_resume.devserver import FaultKind
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    CheckpointError,
    ServerFaultError,
    UploadTakenOver,
)
from airflow_provider_oss_resume.oss import Credentials, RetryPolicy, limits
from airflow_provider_oss_resume.upload import ObjectOptions, Owner, UploadRequest
from airflow_provider_oss_resume.upload.resume import find_upload
from tests.server.conftest import ClientFactory
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content

ELSEWHERE = OwnerProcess("elsewhere", 7, "123", "theirs")
REHASHED = {"verify_resume": True}
TRUSTED = {"verify_resume": False}


@pytest.mark.parametrize("options", [REHASHED, TRUSTED])
def test_the_second_try_sends_only_the_missing_parts(scene: Scene, options: dict[str, Any]) -> None:
    scene.stop_after(5)
    result = scene.upload(**options)
    scene.assert_done(result)
    assert scene.sent() == [6, 7, 8]
    assert scene.count("InitiateMultipartUpload") == 0
    assert (result.resumed, result.recovered) == (True, False)
    assert (result.parts_sent, result.parts_reused) == (3, 5)
    assert (result.bytes_sent, result.bytes_reused) == (SIZE - 5 * PART, 5 * PART)


def test_try_after_try_sends_each_part_once(scene: Scene) -> None:
    for done in range(PARTS - 1):
        scene.stop_after(1)
        assert [part.number for part in scene.checkpoint.parts] == list(range(1, done + 2))
    result = scene.upload()
    scene.assert_done(result)
    assert (scene.sent(), result.parts_reused) == ([PARTS], PARTS - 1)


@pytest.mark.parametrize("present", [[2, 4, 6], [8], [2, 3, 4, 5, 6, 7, 8], [1, 8]])
def test_a_gap_costs_only_the_parts_in_it(scene: Scene, present: list[int]) -> None:
    """The official SDK keeps only what stands before the first gap (A, E6), and never a short last part (E16)."""
    scene.stop_after(0)
    upload_id = scene.checkpoint.upload_id
    for number in present:
        scene.client.upload_part(BUCKET, scene.key, upload_id, number, _part(scene, number))
    scene.server.clear_requests()
    scene.assert_done(scene.upload())
    assert scene.sent() == [number for number in range(1, PARTS + 1) if number not in present]


def _part(scene: Scene, number: int) -> bytes:
    return scene.file.read_bytes()[(number - 1) * PART : number * PART]


def test_when_all_parts_are_there_only_complete_is_left(scene: Scene) -> None:
    scene.fail("CompleteMultipartUpload", 403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        scene.upload()
    scene.server.clear_requests()
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == []
    assert (result.bytes_sent, result.bytes_reused) == (0, SIZE)


def test_an_upload_without_a_single_part_is_gone_on_with(scene: Scene) -> None:
    """The official SDK begins another and leaves this one to be billed (E4, G)."""
    scene.stop_after(0)
    scene.assert_done(scene.upload())
    assert scene.count("InitiateMultipartUpload") == 0


def test_many_pages_of_parts_are_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.stop_after(7)
    monkeypatch.setattr(limits, "MAX_LIST", 3)
    result = scene.upload()
    scene.assert_done(result)
    assert (scene.count("ListParts"), result.parts_sent) == (3, 1)


# --- the source changed


def test_an_edit_that_keeps_size_and_time_costs_its_parts_and_makes_no_wrong_object(scene: Scene) -> None:
    """The official SDK reports success and stores a mixture (B, E15)."""
    scene.stop_after(6)
    scene.edit(2 * PART + 5, 4 * PART)
    scene.assert_done(scene.upload())
    assert scene.sent() == [3, 5, 7, 8]


def test_a_file_made_anew_with_equal_content_costs_nothing(scene: Scene) -> None:
    scene.stop_after(6)
    scene.file.rename(scene.file.with_suffix(".old"))
    scene.file.write_bytes(content())
    scene.assert_done(scene.upload(verify_resume=False))
    assert scene.sent() == [7, 8]


def test_a_changed_file_is_re_hashed_even_where_re_hashing_is_off(scene: Scene) -> None:
    scene.stop_after(6)
    scene.file.write_bytes(content(seed=1)[:PART] + content()[PART:])
    os.utime(scene.file, ns=(1, 1))
    scene.assert_done(scene.upload(verify_resume=False))
    assert scene.sent() == [1, 7, 8]


def test_a_content_that_comes_back_is_not_mistaken_for_the_one_in_between(scene: Scene) -> None:
    """Try 2 sees another content and records a part of it; try 3 sees the first again, times and all."""
    scene.stop_after(4)
    before = scene.file.stat()
    scene.file.write_bytes(content(seed=1))
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.2)
    scene.stop_after(1)
    scene.file.write_bytes(content())
    os.utime(scene.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    scene.assert_done(scene.upload(verify_resume=False))


def test_a_grown_file_keeps_the_parts_that_fit(scene: Scene) -> None:
    scene.fail("CompleteMultipartUpload", 403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        scene.upload()
    scene.file.write_bytes(content() + content(PART, seed=1))
    scene.server.clear_requests()
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == [8, 9]
    assert result.parts == 9


@pytest.mark.parametrize(("size", "resent"), [(5 * PART, []), (5 * PART + 1, [6]), (PART - 1, [1]), (1, [1])])
def test_a_shrunk_file_keeps_the_parts_that_fit(scene: Scene, size: int, resent: list[int]) -> None:
    scene.stop_after(6)
    scene.file.write_bytes(content()[:size])
    scene.assert_done(scene.upload())
    assert scene.sent() == resent


def test_a_file_that_is_empty_now_is_an_empty_object_and_its_old_upload_aborted(scene: Scene) -> None:
    scene.stop_after(6)
    scene.file.write_bytes(b"")
    scene.assert_done(scene.upload())
    assert scene.count("AbortMultipartUpload") == 1


def test_another_file_starts_to_replace_part_after_part(scene: Scene) -> None:
    scene.stop_after(6)
    scene.file.write_bytes(content(seed=1))
    scene.assert_done(scene.upload())
    assert scene.sent() == list(range(1, PARTS + 1))


def test_the_part_size_of_the_first_try_stays(scene: Scene) -> None:
    scene.stop_after(6)
    result = scene.upload(part_size=4 * PART)
    scene.assert_done(result)
    assert (scene.sent(), result.parts) == ([7, 8], PARTS)


# --- the checkpoint is not what it should be


def spoil(text: str) -> str:
    return text[:-20] + "x" + text[-19:]


def newer(text: str) -> str:
    return json.dumps({**json.loads(text), "schema": 3})


DAMAGES = [spoil, newer, lambda _: "[1]", lambda _: "", lambda _: "{" * 5000, lambda text: text[: len(text) // 2]]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_cannot_be_read_costs_a_re_hash(scene: Scene, damage: Callable[[str], str]) -> None:
    scene.stop_after(5)
    scene.store.text = damage(scene.store.text)
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == [6, 7, 8]
    assert (result.resumed, result.recovered) == (True, True)


def test_a_lost_checkpoint_costs_a_re_hash(scene: Scene) -> None:
    scene.stop_after(5)
    scene.store.text = None
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == [6, 7, 8]
    assert result.recovered


def test_without_adoption_a_lost_checkpoint_costs_everything(scene: Scene) -> None:
    scene.stop_after(5)
    scene.store.text = None
    result = scene.upload(adopt_uploads=False)
    assert (scene.sent(), result.resumed) == (list(range(1, PARTS + 1)), False)
    assert scene.stored() == content()
    assert len(scene.uploads_left()) == 1  # which is what adoption is for


def test_uploads_that_may_not_be_listed_are_not_found(scene: Scene) -> None:
    scene.stop_after(5)
    scene.store.text = None
    scene.fail("ListMultipartUploads", 403, "AccessDenied")
    scene.upload()
    assert scene.stored() == content()
    assert scene.sent() == list(range(1, PARTS + 1))


@pytest.mark.parametrize(
    "changes", [{"key": "exports/other.csv"}, {"bucket": "other-bucket"}, {"part_size": 0}, {"part_size": 2**60}]
)
def test_a_checkpoint_of_something_else_is_not_believed(scene: Scene, changes: dict[str, Any]) -> None:
    scene.stop_after(5)
    scene.forge(**changes)
    result = scene.upload()
    scene.assert_done(result)
    assert result.parts == PARTS


def test_a_forged_record_makes_no_wrong_object(scene: Scene) -> None:
    scene.stop_after(5)
    forged = (RecordedPart(7, "0" * 32, 7), *[replace(part, crc64=1) for part in scene.checkpoint.parts])
    scene.forge(parts=forged)
    scene.assert_done(scene.upload(verify_resume=False))
    assert scene.sent() == [6, 7, 8]


def test_a_forged_upload_id_is_asked_about_and_not_believed(scene: Scene) -> None:
    scene.stop_after(5)
    scene.forge(upload_id="0123456789ABCDEF0123456789ABCDEF")
    result = scene.upload()
    scene.assert_done(result)
    assert (scene.sent(), result.recovered) == ([6, 7, 8], True)


def test_other_headers_start_afresh_and_leave_no_orphan(scene: Scene) -> None:
    scene.stop_after(5)
    result = scene.upload(options=ObjectOptions(metadata={"owner": "somebody else"}))
    scene.assert_done(result)
    assert scene.sent() == list(range(1, PARTS + 1))
    assert scene.client.head_object(BUCKET, scene.key).metadata == {"owner": "somebody else"}


# --- the bucket is not as it was


def test_an_aborted_upload_starts_afresh(scene: Scene) -> None:
    scene.stop_after(5)
    scene.client.abort_multipart_upload(BUCKET, scene.key, scene.checkpoint.upload_id)
    scene.assert_done(scene.upload())
    assert scene.sent() == list(range(1, PARTS + 1))


def test_an_upload_that_a_lifecycle_rule_aborts_under_our_hands_starts_afresh(scene: Scene) -> None:
    scene.fault(FaultKind.UPLOAD_GONE, "UploadPart", part_number=4)
    result = scene.upload()
    scene.assert_done(result)
    assert scene.count("InitiateMultipartUpload") == 2
    assert result.parts_sent == PARTS


def test_an_upload_that_goes_while_a_slow_part_is_under_way_starts_afresh(scene: Scene) -> None:
    """The slow part's connection is cut to stop its thread: what follows needs one that is not."""
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=1, seconds=4.0)
    scene.fault(FaultKind.UPLOAD_GONE, "UploadPart", part_number=4)
    scene.assert_done(scene.upload(max_concurrency=4))
    assert scene.count("InitiateMultipartUpload") == 2


def test_an_upload_that_somebody_else_completed_is_found_done(scene: Scene) -> None:
    scene.fail("CompleteMultipartUpload", 403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        scene.upload()
    parts = list(scene.client.list_parts(BUCKET, scene.key, scene.checkpoint.upload_id))
    scene.client.complete_multipart_upload(BUCKET, scene.key, scene.checkpoint.upload_id, parts)
    scene.server.clear_requests()
    result = scene.upload()
    scene.assert_done(result)
    assert (scene.sent(), result.bytes_sent, result.parts_reused) == ([], 0, PARTS)


def test_another_object_of_the_same_size_is_not_taken_for_ours(scene: Scene) -> None:
    scene.stop_after(5)
    scene.client.abort_multipart_upload(BUCKET, scene.key, scene.checkpoint.upload_id)
    scene.client.put_object(BUCKET, scene.key, content(seed=1))
    scene.assert_done(scene.upload())


def test_a_part_that_somebody_replaced_is_sent_again(scene: Scene) -> None:
    scene.stop_after(5)
    scene.client.upload_part(BUCKET, scene.key, scene.checkpoint.upload_id, 2, content(PART, seed=1))
    scene.server.clear_requests()
    scene.assert_done(scene.upload(verify_resume=False))
    assert scene.sent() == [2, 6, 7, 8]


def test_a_transient_fault_of_the_listing_is_waited_out(scene: Scene) -> None:
    """The official SDK re-sends everything and leaves an orphan (C, E5)."""
    scene.stop_after(5)
    scene.fail("ListParts", 500, "InternalError", count=2)
    scene.fault(FaultKind.RESET, "ListParts")
    scene.assert_done(scene.upload())
    assert scene.sent() == [6, 7, 8]


def test_a_lasting_fault_of_the_listing_fails_the_try_and_loses_nothing(
    scene: Scene, make_client: ClientFactory
) -> None:
    scene.stop_after(5)
    before = scene.store.text
    scene.fail("ListParts", 500, "InternalError", count=None)
    hasty = replace(scene, client=make_client(scene.server.url, retry=RetryPolicy(0.1, 0.01, 0.02)))
    with pytest.raises(ServerFaultError, match="ListParts"):
        hasty.upload()
    assert scene.store.text == before
    scene.server.clear_faults()
    scene.assert_done(scene.upload())
    assert scene.sent() == [6, 7, 8]


def test_a_wrong_secret_is_no_answer_about_the_upload(scene: Scene, make_client: ClientFactory) -> None:
    scene.stop_after(5)
    before = scene.store.text
    with pytest.raises(AccessDeniedError, match="SignatureDoesNotMatch"):
        replace(scene, client=make_client(scene.server.url, Credentials("test-id", "wrong"))).upload()
    assert scene.store.text == before
    scene.assert_done(scene.upload())
    assert scene.sent() == [6, 7, 8]


# --- a user who may only put


def deny_listing(scene: Scene) -> None:
    scene.fail("ListParts", 403, "AccessDenied", count=None)


def test_who_may_not_list_parts_resumes_from_the_record(scene: Scene) -> None:
    scene.stop_after(5)
    deny_listing(scene)
    scene.assert_done(scene.upload())
    assert scene.sent() == [6, 7, 8]


def test_who_may_not_list_parts_sends_again_what_changed(scene: Scene) -> None:
    scene.stop_after(5)
    scene.edit(PART)
    deny_listing(scene)
    scene.assert_done(scene.upload())
    assert scene.sent() == [2, 6, 7, 8]


@pytest.mark.parametrize("changes", [REHASHED, TRUSTED])
def test_who_may_not_list_parts_and_whose_record_is_wrong_is_helped_by_complete(
    scene: Scene, changes: dict[str, Any]
) -> None:
    scene.stop_after(5)
    scene.client.upload_part(BUCKET, scene.key, scene.checkpoint.upload_id, 2, content(PART, seed=1))
    deny_listing(scene)
    scene.assert_done(scene.upload(**changes))


def test_who_may_not_list_parts_and_whose_upload_is_gone_starts_afresh(scene: Scene) -> None:
    scene.stop_after(5)
    scene.client.abort_multipart_upload(BUCKET, scene.key, scene.checkpoint.upload_id)
    scene.server.clear_requests()
    deny_listing(scene)
    result = scene.upload()
    scene.assert_done(result)
    assert scene.count("InitiateMultipartUpload") == 1


# --- two tries


def owned(scene: Scene, try_number: int) -> Owner:
    return this_process(Owner(try_number=try_number))


def test_an_older_try_stops_once_a_newer_one_owns_the_upload(scene: Scene) -> None:
    scene.stop_after(5)
    scene.forge(owner=owned(scene, 3))
    with pytest.raises(UploadTakenOver, match="newer than try 2"):
        scene.uploader(owner=owned(scene, 2)).upload(UploadRequest(scene.file, BUCKET, scene.key, PART, 1, 0))
    assert scene.sent() == []
    assert scene.checkpoint.owner.try_number == 3


def test_a_checkpoint_of_a_run_that_was_made_anew_is_gone_on_with(scene: Scene) -> None:
    """Its tries count from 1 again; one of them that died on another machine stands in the checkpoint for ever."""
    scene.stop_after(5)
    scene.forge(owner=Owner(try_number=3, process=ELSEWHERE))
    scene.assert_done(scene.upload())
    assert scene.sent() == [6, 7, 8]


def test_a_newer_try_elsewhere_that_lives_has_the_last_word(scene: Scene) -> None:
    """An older one could not know at its start, and reads it before it completes."""
    scene.stop_after(5)
    theirs = Owner(try_number=3, process=ELSEWHERE)
    scene.forge(owner=theirs)

    def newer_try_sends() -> None:
        if scene.count("UploadPart") >= 2:
            scene.forge(owner=theirs)

    scene.fault(FaultKind.DELAY, "UploadPart", part_number=8, seconds=0.5)
    with pytest.raises(UploadTakenOver, match=r"try 3 .* took this upload over from try 1"):
        scene.uploader(watch=newer_try_sends).upload(scene.request())
    assert not scene.exists()


def test_a_zombie_notices_the_newer_try_and_does_not_complete(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=8, seconds=0.5)

    def newer_try_comes() -> None:
        if scene.store.text is not None and scene.count("UploadPart") >= 5:
            scene.forge(owner=owned(scene, 9))

    uploader = scene.uploader(owner=owned(scene, 1), watch=newer_try_comes)
    with pytest.raises(UploadTakenOver, match=r"try 9 .* took this upload over from try 1"):
        uploader.upload(UploadRequest(scene.file, BUCKET, scene.key, PART, 1, 0))
    assert not scene.exists()
    assert scene.checkpoint.owner.try_number == 9
    assert len(scene.uploads_left()) == 1  # it is the newer try's now


def test_another_process_that_runs_this_very_try_is_waited_for(scene: Scene) -> None:
    scene.stop_after(5)
    with subprocess.Popen(["sleep", "60"]) as other:
        scene.forge(owner=this_process(Owner(process=OwnerProcess(pid=other.pid))))
        ticks = []

        def watch() -> None:
            ticks.append(scene.sent())
            if len(ticks) == 3:
                other.kill()
                other.wait()

        scene.assert_done(scene.uploader(watch=watch).upload(scene.request()))
    assert ticks[:3] == [[], [], []], "it waits, and can be stopped meanwhile"
    assert scene.sent() == list(range(6, PARTS + 1))


def test_another_process_that_runs_this_very_try_and_does_not_end_is_left_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_upload, "OWNER_PATIENCE", 0.2)
    scene.stop_after(5)
    scene.forge(owner=this_process(Owner(process=OwnerProcess(pid=os.getppid()))))
    with pytest.raises(CheckpointError, match="still runs this upload"):
        scene.upload()
    assert scene.sent() == []


def test_a_try_that_finished_and_died_before_anybody_heard_of_it_is_found_done(scene: Scene) -> None:
    scene.upload()
    assert scene.store.text is None
    scene.server.clear_requests()
    again = scene.uploader(owner=Owner(try_number=2)).upload(scene.request())
    scene.assert_done(again)
    assert (scene.sent(), again.resumed, again.bytes_reused) == ([], True, SIZE)


@pytest.mark.parametrize(
    "options",
    [
        ObjectOptions(metadata={"run": "2"}),
        ObjectOptions(callback={"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "a"}),
    ],
    ids=["other headers", "a callback"],
)
def test_an_object_found_done_is_what_was_asked_for(scene: Scene, options: ObjectOptions) -> None:
    scene.upload()
    scene.server.clear_requests()
    request = scene.request(options=options, callback_required=False)
    scene.assert_done(scene.uploader(owner=Owner(try_number=2)).upload(request))
    if options.callback:
        assert scene.sent() == list(range(1, PARTS + 1)), "or nobody would be called"
    else:
        assert scene.client.head_object(BUCKET, scene.key).metadata == {"run": "2"}


def test_an_object_of_the_same_size_does_not_stop_a_retry(scene: Scene) -> None:
    scene.upload()
    scene.edit(0)
    scene.server.clear_requests()
    scene.assert_done(scene.uploader(owner=Owner(try_number=2)).upload(scene.request()))
    assert scene.sent() == list(range(1, PARTS + 1))


def test_another_endpoint_of_the_bucket_resumes_its_upload(scene: Scene) -> None:
    scene.stop_after(3)
    scene.forge(endpoint="https://oss-cn-hangzhou-internal.aliyuncs.com")
    scene.assert_done(scene.upload())
    assert scene.sent() == list(range(4, PARTS + 1))
