"""Callbacks, and uploads that another client started."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    CallbackFailedError,
    ConfigurationError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.client_encryption.encryption import HEADER, ContentKey
from airflow_provider_oss_resume.oss.client_encryption.master_keys import KMSMasterKey
from airflow_provider_oss_resume.transfer.progress import Phase
from airflow_provider_oss_resume.upload import Cancel, ObjectOptions, Owner
from tests.server.conftest import ClientFactory
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content, with_store

NOBODY = ObjectOptions(callback={"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "a=b"})


@pytest.mark.parametrize("threshold", [0, 2**30], ids=["parts", "whole"])
def test_a_failed_callback_is_an_error_that_no_retry_mends(scene: Scene, threshold: int) -> None:
    with pytest.raises(CallbackFailedError, match="The object is stored") as caught:
        scene.upload(options=NOBODY, multipart_threshold=threshold)
    assert caught.value.permanent
    assert scene.stored() == scene.file.read_bytes()


@pytest.mark.parametrize("threshold", [0, 2**30], ids=["parts", "whole"])
def test_a_callback_that_is_not_required_is_a_warning(
    scene: Scene, threshold: int, caplog: pytest.LogCaptureFixture
) -> None:
    result = scene.upload(options=NOBODY, multipart_threshold=threshold, callback_required=False)
    scene.assert_done(result)
    assert "CallbackFailed" in caplog.text


def test_an_upload_named_by_its_id_is_resumed(scene: Scene) -> None:
    data = scene.file.read_bytes()
    other = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    wanted = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    for number in (2, 3):
        piece = data[(number - 1) * PART : number * PART]
        scene.client.upload_part(BUCKET, scene.key, wanted, number, piece)
    scene.server.clear_requests()
    result = scene.upload(upload_id=wanted)
    assert scene.uploads_left() == [other], "an upload that was not asked for is left alone"
    scene.client.abort_multipart_upload(BUCKET, scene.key, other)
    scene.assert_done(result)
    assert result.upload_id == wanted
    assert sorted(scene.sent()) == [1, *range(4, PARTS + 1)]


def test_a_retry_of_a_named_upload_that_was_completed_finds_the_object(scene: Scene) -> None:
    """The try before died after the checkpoint's end and before Airflow heard of it."""
    wanted = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.upload(upload_id=wanted)
    scene.server.clear_requests()
    result = scene.uploader(owner=Owner(try_number=2)).upload(scene.request(upload_id=wanted))
    scene.assert_done(result)
    assert (scene.sent(), result.bytes_reused) == ([], SIZE)


def test_an_upload_id_that_does_not_exist_is_named(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match=r"'0123456789ABCDEF0123456789ABCDEF'.*leave upload_id out"):
        scene.upload(upload_id="0123456789ABCDEF0123456789ABCDEF")
    assert scene.sent() == []


def test_an_upload_named_by_its_id_is_not_thrown_away_for_other_headers(scene: Scene) -> None:
    named = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.stop_after(3, upload_id=named)
    result = scene.upload(upload_id=named, options=ObjectOptions(metadata={"run": "2"}))
    scene.assert_done(result)
    assert (result.upload_id, scene.sent()) == (named, list(range(4, PARTS + 1)))
    assert scene.client.head_object(BUCKET, scene.key).metadata == {"run": "2"}


def test_an_upload_whose_parts_do_not_fit_is_refused(scene: Scene) -> None:
    foreign = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.client.upload_part(BUCKET, scene.key, foreign, 9999, content(PART))
    with pytest.raises(ConfigurationError, match="do not fit the source"):
        scene.upload(upload_id=foreign)
    scene.client.abort_multipart_upload(BUCKET, scene.key, foreign)


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
def test_a_sequential_upload_is_continued_sequentially(scene: Scene, named: bool) -> None:
    """Whether it is sequential cannot be asked for; with several threads every try would fail."""
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key, sequential=True)
    scene.client.upload_part(BUCKET, scene.key, upload_id, 1, scene.file.read_bytes()[:PART])
    scene.server.clear_requests()
    result = scene.upload(max_concurrency=8, upload_id=upload_id if named else None)
    scene.assert_done(result)
    assert result.upload_id == upload_id
    assert scene.count("InitiateMultipartUpload") == 0
    done = [record.part_number or 0 for record in scene.requests("UploadPart") if record.status == 200]
    assert sorted(done) == list(range(2, PARTS + 1))


def encrypted_upload(scene: Scene) -> str:
    """Begin an upload as a client does that encrypts, and return its id."""
    content_key = ContentKey.new().wrapped_by(KMSMasterKey(encrypt=bytes, decrypt=bytes))
    sizes = {f"{HEADER}data-size": str(SIZE), f"{HEADER}part-size": str(PART)}
    return scene.client.initiate_multipart_upload(BUCKET, scene.key, {**content_key.headers(), **sizes})


def test_an_upload_that_was_named_and_its_client_encrypts_is_refused_and_left(scene: Scene) -> None:
    theirs = encrypted_upload(scene)
    with pytest.raises(ConfigurationError, match=rf"'{theirs}'.* encrypted by its client.*leave upload_id out"):
        scene.upload(upload_id=theirs, max_concurrency=4)
    assert (scene.uploads_left(), scene.store.text) == ([theirs], None)
    scene.client.abort_multipart_upload(BUCKET, scene.key, theirs)


def test_an_upload_that_its_client_encrypts_is_left_to_it(scene: Scene) -> None:
    theirs = encrypted_upload(scene)
    result = scene.upload(max_concurrency=4)
    assert scene.uploads_left() == [theirs]
    scene.client.abort_multipart_upload(BUCKET, scene.key, theirs)
    scene.assert_done(result)
    assert scene.client.head_object(BUCKET, scene.key).metadata == {}
    assert not result.recovered


def test_a_failed_callback_leaves_no_object_without_its_headers(scene: Scene) -> None:
    scene.client.initiate_multipart_upload(BUCKET, scene.key)
    with pytest.raises(CallbackFailedError, match="do not upload it again"):
        scene.upload(options=replace(NOBODY, metadata={"run": "2"}))
    assert scene.client.head_object(BUCKET, scene.key).metadata == {"run": "2"}


def test_headers_that_cannot_be_given_do_not_hide_the_failed_callback(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry would find the object, give it its headers, and be green though nobody was called."""
    scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.fail("CopyObject", 403, "AccessDenied")
    options = replace(NOBODY, metadata={"run": "2"})
    with pytest.raises(CallbackFailedError):
        scene.upload(options=options)
    assert "the object lacks requested headers" in caplog.text
    scene.assert_done(scene.upload(options=options))
    assert scene.client.head_object(BUCKET, scene.key).metadata == {"run": "2"}


@pytest.fixture
def old_scene(scene: Scene, make_client: ClientFactory, tmp_path: Path) -> Iterator[Scene]:
    """Return a scene on a service that keeps no CRC-64 of copied parts."""
    with DevServer(tmp_path / "oss", buckets=(BUCKET,), options=("--no-crc-of-copied-parts",)) as server:
        yield replace(scene, server=server, client=make_client(server.url))


def started_by_copying(scene: Scene, copied: Sequence[int], sent: Sequence[int] = ()) -> str:
    """Initiate an upload, copy parts into it inside OSS and send others; return its id."""
    data, source = scene.file.read_bytes(), f"{scene.key}-before"
    scene.client.put_object(BUCKET, source, data)
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    for number in copied:
        byte_range = ((number - 1) * PART, min(number * PART, SIZE) - 1)
        scene.client.upload_part_copy(BUCKET, scene.key, upload_id, number, (BUCKET, source), byte_range)
    for number in sent:
        scene.client.upload_part(BUCKET, scene.key, upload_id, number, data[(number - 1) * PART : number * PART])
    scene.server.clear_requests()
    return upload_id


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
@pytest.mark.parametrize(
    ("copied", "sent"), [([2], [1]), ([2], []), (range(1, PARTS + 1), [])], ids=["some", "one alone", "all"]
)
def test_a_part_that_was_copied_inside_oss_is_not_sent_again(
    scene: Scene, copied: Sequence[int], sent: Sequence[int], named: bool
) -> None:
    upload_id = started_by_copying(scene, copied, sent)
    result = scene.upload(upload_id=upload_id if named else None)
    scene.assert_done(result)
    assert result.upload_id == upload_id
    assert scene.sent() == [number for number in range(1, PARTS + 1) if number not in (*copied, *sent)]


def test_a_copied_part_of_other_bytes_is_sent_again(scene: Scene) -> None:
    upload_id = started_by_copying(scene, [2])
    scene.client.upload_part_copy(BUCKET, scene.key, upload_id, 3, (BUCKET, f"{scene.key}-before"), (0, PART - 1))
    scene.assert_done(scene.upload(upload_id=upload_id))
    assert scene.sent() == [1, *range(3, PARTS + 1)]


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
@pytest.mark.parametrize(
    ("copied", "sent"), [([2], [1]), ([2], []), (range(1, PARTS + 1), [])], ids=["some", "one alone", "all"]
)
def test_a_copied_part_without_a_listed_checksum_is_sent_again(
    old_scene: Scene, copied: Sequence[int], sent: Sequence[int], named: bool
) -> None:
    """An object with such a part may have no CRC-64, and the upload cannot be verified."""
    scene = old_scene
    upload_id = started_by_copying(scene, copied, sent)
    scene.fault(FaultKind.REPLY, "CompleteMultipartUpload", status=403, code="AccessDenied")
    with pytest.raises(AccessDeniedError):
        scene.upload(upload_id=upload_id if named else None)
    result = scene.upload()
    scene.assert_done(result)
    assert result.upload_id == upload_id
    assert scene.sent() == [number for number in range(1, PARTS + 1) if number not in sent]


def test_a_copied_part_without_a_listed_checksum_is_sent_again_after_a_crash_too(old_scene: Scene) -> None:
    """The first try verifies the part by its MD5 and records it with the source's CRC-64."""
    scene = old_scene
    upload_id = started_by_copying(scene, [2])
    scene.stop_after(3, upload_id=upload_id)
    assert 2 in {part.number for part in scene.checkpoint.parts}
    scene.assert_done(scene.upload(verify_resume=False))
    assert scene.sent() == [2, *range(5, PARTS + 1)]


@pytest.mark.parametrize("in_order", [False, True], ids=["not known", "known"])
@pytest.mark.parametrize("keeps", [True, False], ids=["store", "no store"])
def test_a_named_upload_in_order_that_holds_other_bytes_is_refused_and_left(
    scene: Scene, in_order: bool, keeps: bool
) -> None:
    named = scene.client.initiate_multipart_upload(BUCKET, scene.key, sequential=True)
    scene.client.upload_part(BUCKET, scene.key, named, 1, content(PART, seed=1))
    one = scene if keeps else with_store(scene, None)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=rf"'{named}'.* is sequential, and .*part 1.*leave upload_id out"):
            one.upload(upload_id=named, sequential=in_order, max_concurrency=4)
        assert scene.uploads_left() == [named]
    result = one.upload(max_concurrency=4)
    assert scene.uploads_left() == [named]
    scene.client.abort_multipart_upload(BUCKET, scene.key, named)
    scene.assert_done(result)


def test_an_upload_in_order_that_was_found_and_holds_other_bytes_is_left(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    theirs = scene.client.initiate_multipart_upload(BUCKET, scene.key, sequential=True)
    data = scene.file.read_bytes()
    for number, piece in enumerate((data[:PART], content(PART, seed=1), data[2 * PART : 3 * PART]), 1):
        scene.client.upload_part(BUCKET, scene.key, theirs, number, piece)
    result = scene.upload(max_concurrency=4)
    assert scene.uploads_left() == [theirs]
    scene.client.abort_multipart_upload(BUCKET, scene.key, theirs)
    scene.assert_done(result)
    assert "stopped" not in caplog.text, "the upload continued"
    assert Phase.STOPPED not in {one.phase for one in scene.progress}


def test_a_copy_in_pieces_that_is_cancelled_leaves_no_upload(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_COPY_SIZE", 4 * PART)  # as above 1 GiB
    scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.fault(FaultKind.DELAY, "UploadPartCopy", seconds=8.0, skip=1)
    cancel = Cancel()

    def watch() -> None:
        if scene.count("UploadPartCopy"):
            cancel.request("killed by a person")

    request = scene.request(options=ObjectOptions(metadata={"run": "2"}))
    with pytest.raises(UploadCancelled, match="killed by a person"):
        scene.uploader(watch=watch).upload(request, cancel)
    assert scene.uploads_left() == []
    scene.server.clear_requests()
    scene.assert_done(scene.upload(options=request.options))
    assert scene.sent() == []
