"""What the other end may do: call back, or have begun the upload itself."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import CallbackFailedError, ConfigurationError
from airflow_provider_oss_resume.oss.encryption import HEADER, ContentKey, KMSMasterKey
from airflow_provider_oss_resume.upload import ObjectOptions, Owner
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content

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


def test_an_upload_named_by_its_id_goes_on(scene: Scene) -> None:
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
def test_an_upload_that_was_begun_in_order_goes_on_in_order(scene: Scene, named: bool) -> None:
    """Whether it is sequential cannot be asked for; with several threads every try would fail."""
    begun = scene.client.initiate_multipart_upload(BUCKET, scene.key, sequential=True)
    scene.client.upload_part(BUCKET, scene.key, begun, 1, scene.file.read_bytes()[:PART])
    scene.server.clear_requests()
    result = scene.upload(max_concurrency=8, upload_id=begun if named else None)
    scene.assert_done(result)
    assert result.upload_id == begun
    assert scene.count("InitiateMultipartUpload") == 0
    done = [record.part_number or 0 for record in scene.requests("UploadPart") if record.status == 200]
    assert sorted(done) == list(range(2, PARTS + 1))


def test_an_upload_that_its_client_encrypts_is_left_to_it(scene: Scene) -> None:
    content_key = ContentKey.new().wrapped_by(KMSMasterKey(encrypt=bytes, decrypt=bytes))
    sizes = {f"{HEADER}data-size": str(SIZE), f"{HEADER}part-size": str(PART)}
    theirs = scene.client.initiate_multipart_upload(BUCKET, scene.key, {**content_key.headers(), **sizes})
    result = scene.upload(max_concurrency=4)
    assert scene.uploads_left() == [theirs]
    scene.client.abort_multipart_upload(BUCKET, scene.key, theirs)
    scene.assert_done(result)
    assert scene.client.head_object(BUCKET, scene.key).metadata == {}
    assert not result.recovered
