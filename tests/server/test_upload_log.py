"""What the log says of a resume: at the start what is known then, at each end the true figures."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from airflow_provider_oss_resume.exceptions import InvalidRequestError, NoSuchUploadError, ServiceError
from airflow_provider_oss_resume.upload import Phase
from tests.server.uploads import BUCKET, PART, Scene, content


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield


def said(caplog: pytest.LogCaptureFixture, start: str) -> list[str]:
    """Return the lines that start so."""
    return [line for record in caplog.records if (line := record.getMessage()).startswith(start)]


@pytest.mark.parametrize(("edited", "reused"), [(0, "3 of 8"), (1, "2 of 8"), (3, "0 of 8")])
def test_a_part_counts_as_verified_once_it_was_read_again(
    scene: Scene, caplog: pytest.LogCaptureFixture, edited: int, reused: str
) -> None:
    scene.stop_after(3)
    scene.edit(*(number * PART for number in range(edited)))
    scene.assert_done(scene.upload())
    assert said(caplog, "resume:") == [
        "resume: 3 of 8 parts found (300 KiB), 3 to verify, 5 to send (resuming the upload of the checkpoint)"
    ]
    [figures] = said(caplog, "resumed:")
    assert figures.startswith(f"resumed: {reused} parts verified and reused (")
    assert figures.endswith(f"), {edited} sent again because they differ, 5 others sent")


def test_parts_that_are_not_read_again_are_not_called_verified(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.stop_after(3)
    scene.assert_done(scene.upload(verify_resume=False))
    assert said(caplog, "resume: 3 of 8 parts found (300 KiB), 0 to verify, 5 to send")
    assert said(caplog, "resumed: 3 of 8 parts reused (300 KiB), 0 sent again because they differ, 5 others sent")


def test_a_resume_that_stops_tells_its_figures_too(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.stop_after(3)
    scene.edit(0)
    scene.fail("UploadPart", 403, "AccessDenied", part_number=6)
    with pytest.raises(ServiceError):
        scene.upload()
    [figures] = said(caplog, "resumed:")
    assert "verified and reused" in figures
    assert said(caplog, "stopped:")


def test_a_first_try_resumes_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.upload()
    assert said(caplog, "resume") == []


# --- an upload that turns out to be another one than it was taken for


def begin_elsewhere(scene: Scene) -> str:
    """Begin an upload as another client would, and send its first part."""
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    scene.client.upload_part(BUCKET, scene.key, upload_id, 1, content()[:PART])
    return upload_id


def assert_left_in_order(scene: Scene, upload_id: str) -> None:
    """Check that a failed try says so and leaves the upload to the next one."""
    assert scene.progress[-1].phase is Phase.STOPPED
    assert scene.checkpoint.upload_id == upload_id
    assert scene.checkpoint.owner.process.process_start == ""


def test_a_finding_after_the_last_other_way_ends_the_try_in_order(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    found = begin_elsewhere(scene)
    scene.fail("UploadPart", 400, "PartNotSequential", count=4)
    with pytest.raises(ServiceError, match="PartNotSequential"):
        scene.upload()
    assert_left_in_order(scene, found)
    assert said(caplog, "stopped:") == ["stopped: 1 of 8 parts (100 KiB) stay in the bucket"]
    result = scene.upload()
    scene.assert_done(result)
    assert result.parts_reused == 1


def test_an_upload_that_is_gone_again_and_again_ends_the_try_in_order(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.fail("UploadPart", 404, "NoSuchUpload", count=4)
    with pytest.raises(NoSuchUploadError):
        scene.upload()
    assert_left_in_order(scene, scene.checkpoint.upload_id)
    assert said(caplog, "stopped:") == [f"stopped: upload {scene.checkpoint.upload_id} is gone from the bucket"]
    scene.assert_done(scene.upload())


def test_an_error_on_the_other_way_ends_the_try_in_order(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    found = begin_elsewhere(scene)
    scene.fail("UploadPart", 400, "PartNotSequential", skip=1)
    scene.fail("ListParts", 400, "InvalidRequest", skip=1)  # asked for once before, when the upload was found
    with pytest.raises(InvalidRequestError):
        scene.upload()
    assert_left_in_order(scene, found)
    assert [part.number for part in scene.checkpoint.parts] == [1, 2]
    assert said(caplog, "stopped:") == ["stopped: 2 of 8 parts (200 KiB) stay in the bucket"]
    scene.assert_done(scene.upload())
