"""The figures of a try agree with each other, also where one try works on more than one upload."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_oss_resume.devserver import FaultKind
from airflow_provider_oss_resume.exceptions import AccessDeniedError
from airflow_provider_oss_resume.upload import UploadResult
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene


def assert_consistent(result: UploadResult) -> None:
    assert result.parts_sent + result.parts_reused == result.parts
    assert result.bytes_sent + result.bytes_reused >= result.size
    assert bool(result.parts_sent) == bool(result.bytes_sent)
    assert bool(result.parts_reused) == bool(result.bytes_reused)


def test_an_upload_that_another_task_completes_meanwhile(scene: Scene) -> None:
    """It said bytes_sent 838860800, parts_sent 0 (issue 8, C18)."""
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=4, seconds=2.0)
    completed = False

    def complete_elsewhere() -> None:
        nonlocal completed
        if completed or sum(record.status == 200 for record in scene.requests("UploadPart")) < 3:
            return
        completed = True
        data, [upload_id] = scene.file.read_bytes(), scene.uploads_left()
        for number in range(4, PARTS + 1):
            piece = data[(number - 1) * PART : number * PART]
            scene.client.upload_part(BUCKET, scene.key, upload_id, number, piece)
        parts = list(scene.client.list_parts(BUCKET, scene.key, upload_id))
        scene.client.complete_multipart_upload(BUCKET, scene.key, upload_id, parts)

    result = scene.uploader(watch=complete_elsewhere).upload(scene.request())
    scene.assert_done(result)
    assert completed
    assert_consistent(result)
    assert (result.parts_sent, result.parts_reused, result.resumed) == (3, PARTS - 3, True)
    assert result.bytes_reused == SIZE - 3 * PART


def test_a_restart_in_the_middle_of_a_try(scene: Scene) -> None:
    scene.fault(FaultKind.UPLOAD_GONE, "UploadPart", part_number=4)
    result = scene.upload()
    scene.assert_done(result)
    assert_consistent(result)
    assert (result.parts_sent, result.parts_retried) == (PARTS, 3)


def test_a_try_that_fails_after_a_restart_counts_what_it_sent(scene: Scene) -> None:
    scene.fault(FaultKind.UPLOAD_GONE, "UploadPart", part_number=4)
    scene.fail("InitiateMultipartUpload", 403, "AccessDenied", skip=1)
    with pytest.raises(AccessDeniedError):
        scene.upload()
    last = scene.progress[-1]
    assert last.bytes_sent >= 3 * PART
    assert last.parts_sent == 3


def test_a_sequential_upload_that_was_taken_over(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """9 held and 7 sent were reported as 10 reused, 6 sent, not recovered (issue 8, A8a)."""
    caplog.set_level(logging.INFO)
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key, sequential=True)
    scene.client.upload_part(BUCKET, scene.key, upload_id, 1, scene.file.read_bytes()[:PART])
    scene.server.clear_requests()
    result = scene.upload(max_concurrency=8)
    scene.assert_done(result)
    assert_consistent(result)
    sent = [record.part_number for record in scene.requests("UploadPart") if record.status == 200]
    assert sorted(number or 0 for number in sent) == list(range(2, PARTS + 1))
    assert (result.parts_reused, result.parts_sent, result.bytes_reused) == (1, PARTS - 1, PART)
    assert (result.recovered, result.resumed) == (True, True)
    last = scene.progress[-1]
    assert (last.parts_done, last.parts_reused, last.parts_sent, last.bytes_done) == (PARTS, 1, PARTS - 1, SIZE)
    [figures] = [line for record in caplog.records if (line := record.getMessage()).startswith("resumed:")]
    assert figures.startswith(f"resumed: 1 of {PARTS} parts verified and reused (100 KiB)")
    assert figures.endswith(f" {PARTS - 1} others sent")


@pytest.mark.parametrize("name", ["k.csv", "exports/" + "long" * 200 + "/orders.csv"])
def test_the_last_line_fits_a_terminal(scene: Scene, caplog: pytest.LogCaptureFixture, name: str) -> None:
    caplog.set_level(logging.INFO)
    scene.key = name
    scene.upload()
    scene.client.delete_object(BUCKET, name)
    [line] = [line for record in caplog.records if (line := record.getMessage()).startswith("done:")]
    assert len(line) <= 120
    assert line.partition(", ")[0].endswith(name[-10:] if len(name) > 20 else f" {BUCKET}/{name}")
    assert "700 KiB verified, 700 KiB sent and 0 bytes reused in " in line
