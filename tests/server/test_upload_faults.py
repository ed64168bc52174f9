"""Faults of the network and of OSS: each ends in the right object, or in a word why not."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    CallbackFailedError,
    CredentialsExpiredError,
    IntegrityError,
    InvalidPartError,
    TransportError,
)
from airflow_provider_oss_resume.oss import Credentials, NetworkSettings, RetryPolicy, multipart_operations
from airflow_provider_oss_resume.oss.limits import MIB
from airflow_provider_oss_resume.upload import ObjectOptions, UploadRequest
from airflow_provider_oss_resume.upload.steps import complete
from tests.fakes import RenewableProvider
from tests.server.conftest import SPENT_TOKENS, ClientFactory
from tests.server.uploads import BUCKET, PARTS, SIZE, Scene, content

LOST = FaultKind.DROP_REPLY
COMPLETE = "CompleteMultipartUpload"


@pytest.fixture(autouse=True)
def _quick_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete, "_DELAYS", RetryPolicy(base_delay=0.01, max_delay=0.02))


# --- parts


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": FaultKind.REPLY, "status": 500, "code": "InternalError"},
        {"kind": FaultKind.REPLY, "status": 503, "code": "ServiceUnavailable"},
        {"kind": FaultKind.REPLY, "status": 503, "code": "UploadTrafficRateLimitExceeded"},
        {"kind": FaultKind.REPLY, "status": 408, "code": "RequestTimeout"},
        {"kind": FaultKind.REPLY, "status": 502, "body": "<html>Bad Gateway</html>"},
        {"kind": FaultKind.ERROR_BODY},
        {"kind": FaultKind.RESET, "when": FaultMoment.BEFORE},
        {"kind": FaultKind.RESET, "when": FaultMoment.MIDDLE},
        {"kind": FaultKind.RESET, "when": FaultMoment.AFTER},
        {"kind": LOST},
        {"kind": FaultKind.CORRUPT, "when": FaultMoment.BEFORE, "offset": 99},
    ],
)
def test_a_part_that_fails_is_sent_again(scene: Scene, fault: dict[str, Any]) -> None:
    scene.server.plan(FaultRule(operation="UploadPart", part_number=3, **fault))
    result = scene.upload(max_concurrency=3)
    scene.assert_done(result)
    assert scene.sent() == [1, 2, 3, 3, 4, 5, 6, 7, 8]
    assert (result.parts_retried, result.parts_sent) == (1, PARTS)


def test_every_part_may_fail_several_times(scene: Scene) -> None:
    scene.fail("UploadPart", 500, "InternalError", count=12, probability=0.6, seed=1)
    scene.fault(LOST, "UploadPart", count=5, probability=0.5, seed=2)
    scene.file.write_bytes(content(20 * 102_400))
    scene.assert_done(scene.upload(max_concurrency=4))


def test_no_part_is_started_after_a_refused_part(scene: Scene) -> None:
    """oss2 sends all the others first (E10)."""
    scene.file.write_bytes(content(40 * 102_400))
    scene.fail("UploadPart", 403, "AccessDenied", part_number=6)
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.2, count=None)
    with pytest.raises(AccessDeniedError):
        scene.upload(max_concurrency=4)
    assert max(scene.sent()) <= 6 + 4
    done = [record.part_number or 0 for record in scene.requests("UploadPart") if record.status == 200]
    assert sorted(part.number for part in scene.checkpoint.parts) == sorted(done)


def test_a_part_that_always_arrives_damaged_fails_the_try_and_names_it(scene: Scene) -> None:
    scene.fault(FaultKind.CORRUPT, "UploadPart", part_number=3, count=None)
    with pytest.raises(IntegrityError, match=r"part 3 of .* has CRC-64 \d+ in OSS but \d+ at the source"):
        scene.upload()
    assert [part.number for part in scene.checkpoint.parts] == [1, 2]


def test_a_token_that_expires_on_the_way_is_renewed(scene: Scene, make_client: ClientFactory) -> None:
    provider = RenewableProvider(list(SPENT_TOKENS))
    scene.client = make_client(scene.server.url, provider)
    scene.fault(FaultKind.EXPIRE_TOKEN, "UploadPart", part_number=4)
    scene.fault(FaultKind.EXPIRE_TOKEN, COMPLETE)
    scene.assert_done(scene.upload(max_concurrency=2))
    assert provider.refreshes == 2


def test_the_server_may_die_and_come_back(scene: Scene, make_client: ClientFactory, tmp_path: Any) -> None:
    with DevServer(tmp_path / "oss", buckets=(BUCKET,)) as server:
        scene.server, scene.client = server, make_client(server.url, retry=RetryPolicy(30.0, 0.05, 0.2))
        scene.fault(FaultKind.DELAY, "UploadPart", part_number=5, seconds=0.3)
        killed = list[bool]()

        def kill_once() -> None:
            if not killed and len(scene.checkpoint.parts) >= 4:
                killed.append(True)
                server.kill()
                server.start()

        uploader = scene.uploader(watch=lambda: kill_once() if scene.store.text else None)
        scene.assert_done(uploader.upload(UploadRequest(scene.file, BUCKET, scene.key, 102_400, 1, 0)))
        assert killed


# --- Initiate


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.ERROR_BODY])
def test_initiate_is_asked_for_again(scene: Scene, kind: FaultKind) -> None:
    scene.fault(kind, "InitiateMultipartUpload")
    scene.assert_done(scene.upload())


def test_a_lost_reply_of_initiate_leaves_one_empty_upload(scene: Scene) -> None:
    """Nobody knows its id; the next upload of this key without a checkpoint finds it."""
    scene.fault(LOST, "InitiateMultipartUpload")
    scene.upload()
    assert scene.stored() == scene.file.read_bytes()
    [upload_id] = scene.uploads_left()
    assert scene.parts_left(upload_id) == []
    result = scene.upload()
    scene.assert_done(result)
    assert result.upload_id == upload_id


# --- Complete


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": LOST},
        {"kind": FaultKind.REPLY, "status": 500, "code": "InternalError"},
        {"kind": FaultKind.REPLY, "status": 503, "code": "ServiceUnavailable"},
        {"kind": FaultKind.REPLY, "status": 504, "body": "<html>Gateway Time-out</html>"},
        {"kind": FaultKind.ERROR_BODY},
        {"kind": FaultKind.RESET, "when": FaultMoment.AFTER},
    ],
)
def test_a_complete_without_a_clear_answer_is_settled_by_evidence(scene: Scene, fault: dict[str, Any]) -> None:
    """The official SDK reports failure though the object is right, and re-sends everything (D, E7)."""
    scene.server.plan(FaultRule(operation=COMPLETE, **fault))
    result = scene.upload()
    scene.assert_done(result)
    assert scene.sent() == list(range(1, PARTS + 1))
    assert result.bytes_sent == SIZE


def test_a_complete_that_times_out_is_settled_by_evidence(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, make_client: ClientFactory
) -> None:
    monkeypatch.setattr(multipart_operations, "COMPLETE_READ_TIMEOUT", 0.5)
    scene.client = make_client(scene.server.url, network=NetworkSettings(read_timeout=5.0))
    scene.fault(FaultKind.DELAY, COMPLETE, when=FaultMoment.AFTER, seconds=2.0)
    scene.assert_done(scene.upload())


def test_a_crash_between_complete_and_the_checkpoints_end_sends_nothing_again(scene: Scene) -> None:
    scene.upload()
    scene.stop_after(0)  # makes a checkpoint: put it in the state of a try that died after Complete
    scene.client.abort_multipart_upload(BUCKET, scene.key, scene.checkpoint.upload_id)
    scene.server.clear_requests()
    result = scene.upload()
    scene.assert_done(result)
    assert (scene.sent(), scene.count(COMPLETE), result.bytes_sent) == ([], 0, 0)
    assert (result.resumed, result.parts_reused, result.bytes_reused) == (True, PARTS, SIZE)


def test_a_complete_that_stays_unclear_fails_and_keeps_the_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete, "ATTEMPTS", 3)
    scene.fault(FaultKind.RESET, COMPLETE, count=3)
    with pytest.raises(TransportError, match=COMPLETE):
        scene.upload()
    scene.server.clear_requests()
    scene.assert_done(scene.upload())
    assert scene.sent() == []


def test_a_part_that_oss_lost_is_repaired(scene: Scene) -> None:
    def replace_part() -> None:
        if scene.store.text and scene.count("UploadPart") == PARTS - 1 and not replaced:
            replaced.append(True)
            scene.client.upload_part(BUCKET, scene.key, scene.checkpoint.upload_id, 2, content(102_400, seed=1))

    replaced = list[bool]()
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=8, seconds=0.5)
    result = scene.uploader(watch=replace_part).upload(UploadRequest(scene.file, BUCKET, scene.key, 102_400, 1, 0))
    scene.assert_done(result)
    assert replaced
    assert scene.count(COMPLETE) == 2
    assert result.bytes_sent == SIZE + 102_400
    assert max(one.bytes_done for one in scene.progress) <= SIZE


def test_an_invalid_part_that_is_none_is_survived(scene: Scene) -> None:
    scene.fail(COMPLETE, 400, "InvalidPart", count=2)
    scene.assert_done(scene.upload())
    assert scene.sent() == list(range(1, PARTS + 1))


def test_a_byte_that_rots_in_the_bucket_is_sent_again(scene: Scene) -> None:
    scene.fault(FaultKind.CORRUPT, "UploadPart", part_number=3, when=FaultMoment.AFTER, offset=7)
    scene.assert_done(scene.upload())
    assert scene.sent() == [1, 2, 3, 3, 4, 5, 6, 7, 8]


def test_a_byte_that_rots_between_two_tries_is_caught_and_only_its_part_sent(scene: Scene) -> None:
    scene.fault(FaultKind.CORRUPT, "UploadPart", part_number=3, when=FaultMoment.AFTER, offset=7)
    scene.stop_after(4)  # of those that the rule before leaves to it
    scene.assert_done(scene.upload())
    assert scene.sent() == [3, 6, 7, 8]


@pytest.mark.parametrize(
    ("headers", "body"), [({"x-oss-hash-crc64ecma": "1"}, "x" * SIZE), ({"x-oss-hash-crc64ecma": "1"}, "")]
)
def test_an_object_that_is_not_the_source_is_never_a_success(scene: Scene, headers: dict[str, str], body: str) -> None:
    scene.fail("HeadObject", 200, "", body=body, headers=headers)
    with pytest.raises(IntegrityError, match=rf"has {len(body)} bytes with CRC-64 1, the source {SIZE} .* do not use"):
        scene.upload()
    assert all(one.percent < 100 for one in scene.progress)


def test_an_object_that_appears_on_the_way_is_not_overwritten_where_that_is_forbidden(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=8, seconds=0.5)

    def race() -> None:
        if scene.count("UploadPart") >= PARTS - 1:
            scene.client.put_object(BUCKET, scene.key, b"the winner's")

    request = UploadRequest(scene.file, BUCKET, scene.key, 102_400, 1, 0, options=ObjectOptions(replace=False))
    with pytest.raises(AlreadyExistsError, match=COMPLETE):
        scene.uploader(watch=race).upload(request)
    assert scene.stored() == b"the winner's"
    assert scene.uploads_left() == []
    assert scene.store.text is None


def test_our_own_object_does_not_stand_in_the_way_of_a_lost_reply(scene: Scene) -> None:
    scene.fault(LOST, COMPLETE)
    scene.assert_done(scene.upload(options=ObjectOptions(replace=False)))


def test_a_failed_callback_is_reported_and_nothing_is_sent_again(scene: Scene) -> None:
    callback = {"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "a=b"}
    options = ObjectOptions(callback=callback)
    with pytest.raises(CallbackFailedError, match="The object is stored: do not upload it again"):
        scene.upload(options=options)
    assert scene.stored() == scene.file.read_bytes()
    scene.server.clear_requests()
    scene.assert_done(scene.upload(options=options))
    assert scene.sent() == []


def test_no_secret_is_in_a_log_an_error_or_a_checkpoint(
    scene: Scene, make_client: ClientFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scene.fault(FaultKind.RESET, "UploadPart", part_number=3)
    scene.fault(FaultKind.ERROR_BODY, COMPLETE)
    scene.fail("UploadPart", 403, "SignatureDoesNotMatch", part_number=5)
    shown = ""
    with pytest.raises(AccessDeniedError) as refused:
        scene.upload()
    shown += repr(refused.value) + scene.store.text
    unknown = Credentials("test-id", "test-secret", "CAIS-an-unknown-token")
    with pytest.raises(CredentialsExpiredError) as expired:
        replace(scene, client=make_client(scene.server.url, unknown)).upload()
    shown += repr(expired.value) + str(expired.value)
    scene.assert_done(scene.upload())
    shown += caplog.text
    assert "attempt 1 failed" in shown
    for secret in ("test-secret", "an-unknown-token", "x-oss-signature", "Signature="):
        assert secret not in shown


# --- one request


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": FaultKind.REPLY, "status": 500, "code": "InternalError"},
        {"kind": FaultKind.RESET, "when": FaultMoment.MIDDLE},
        {"kind": LOST},
        {"kind": FaultKind.CORRUPT, "offset": 99},
    ],
)
@pytest.mark.parametrize("replace", [True, False])
def test_a_small_file_is_sent_again(scene: Scene, fault: dict[str, Any], replace: bool) -> None:
    if fault["kind"] is FaultKind.CORRUPT and not replace:
        return  # the damaged object stands in the way: see the next test
    scene.server.plan(FaultRule(operation="PutObject", **fault))
    result = scene.upload(multipart_threshold=MIB, options=ObjectOptions(replace=replace))
    scene.assert_done(result)
    assert scene.count("PutObject") == 2
    assert result.bytes_sent <= 2 * SIZE


def test_a_damaged_object_that_may_not_be_overwritten_is_reported(scene: Scene) -> None:
    scene.fault(FaultKind.CORRUPT, "PutObject", offset=99)
    with pytest.raises((AlreadyExistsError, IntegrityError)):
        scene.upload(multipart_threshold=MIB, options=ObjectOptions(replace=False))


def test_an_equal_object_that_was_there_before_is_no_success_where_replacing_is_forbidden(scene: Scene) -> None:
    scene.client.put_object(BUCKET, scene.key, content())
    with pytest.raises(AlreadyExistsError):
        scene.upload(multipart_threshold=MIB, options=ObjectOptions(replace=False))


def test_a_stored_object_without_a_checksum_is_no_success(scene: Scene) -> None:
    scene.fail("PutObject", 200, "", body="", headers={"ETag": '"AB"'})
    with pytest.raises(IntegrityError, match=r"reports no CRC-64 of .*, so the object cannot be verified"):
        scene.upload(multipart_threshold=MIB)


def test_who_may_not_look_at_the_object_has_the_word_of_complete(scene: Scene) -> None:
    scene.fail("HeadObject", 403, "AccessDenied")
    scene.assert_done(scene.upload())


def test_parts_that_complete_never_accepts_stay_and_are_reported(scene: Scene) -> None:
    scene.fail(COMPLETE, 400, "InvalidPart", count=4)
    with pytest.raises(InvalidPartError):
        scene.upload()
    assert len(scene.checkpoint.parts) == PARTS
    scene.server.clear_requests()
    scene.assert_done(scene.upload())
    assert scene.sent() == []


def test_random_faults_everywhere_end_in_the_right_object(scene: Scene) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    operations = ("UploadPart", "ListParts", "HeadObject", "InitiateMultipartUpload", COMPLETE)
    rules = [
        FaultRule(kind, operation, count=None, probability=0.05, seed=seed + index, status=503, code="SlowDown")
        for index, (kind, operation) in enumerate(
            (kind, operation) for kind in (FaultKind.REPLY, FaultKind.RESET, LOST) for operation in operations
        )
    ]
    scene.server.plan(*rules)
    scene.file.write_bytes(content(50 * 102_400))
    scene.upload(max_concurrency=4)
    scene.server.clear_faults()
    assert scene.stored() == scene.file.read_bytes()
