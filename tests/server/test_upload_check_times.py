"""Files on a volume whose times flap: only size and bytes are compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import FaultKind, FaultMoment
from airflow_provider_oss_resume.exceptions import SourceChangedError
from airflow_provider_oss_resume.upload import LocalFile, UploadRequest
from tests.server.uploads import BUCKET, PART, PARTS, Scene


def flap(scene: Scene) -> Callable[[], None]:
    """Return a callback that changes the file's times at each call."""
    seconds = iter(range(1, 1_000_000))
    return lambda: os.utime(scene.file, (next(seconds), next(seconds)))


def edit_once(scene: Scene, when: Callable[[], bool]) -> Callable[[], None]:
    """Return a callback that edits the first byte of the file as soon as a condition holds."""
    todo = [0]

    def edit() -> None:
        if todo and when():
            scene.edit(todo.pop())

    return edit


@pytest.mark.parametrize("threshold", [0, 2**30], ids=["parts", "whole"])
def test_times_that_flap_are_no_change(scene: Scene, threshold: int) -> None:
    """While bytes are read: the times after the last byte say nothing about what was sent."""
    options: dict[str, Any] = {"multipart_threshold": threshold}
    if threshold:
        options["bandwidth_limit"] = scene.file.stat().st_size
    else:
        scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.5, count=2)
    with pytest.raises(SourceChangedError):
        scene.uploader(watch=flap(scene)).upload(scene.request(**options))
    scene.assert_done(scene.uploader(watch=flap(scene)).upload(scene.request(check_times=False, **options)))


def test_kept_parts_are_verified_by_their_bytes(scene: Scene) -> None:
    scene.stop_after(3, check_times=False)
    scene.edit(PART + 3)
    result = scene.upload(check_times=False)
    scene.assert_done(result)
    assert (result.parts_reused, scene.sent()) == (2, [2, *range(4, PARTS + 1)])


def test_a_file_source_may_ask_for_it_itself(scene: Scene) -> None:
    request = UploadRequest(
        LocalFile(scene.file, check_times=False), BUCKET, scene.key, part_size=PART, multipart_threshold=0
    )
    scene.assert_done(scene.uploader(watch=flap(scene)).upload(request))


def test_an_edit_during_the_upload_is_found_by_reading_once_more(scene: Scene) -> None:
    """Otherwise the object is neither the file before nor the file after the edit."""
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=PARTS, seconds=1.0)
    edit = edit_once(scene, lambda: sum(record.status == 200 for record in scene.requests("UploadPart")) >= 3)
    with pytest.raises(SourceChangedError, match="a second reading gave other bytes"):
        scene.uploader(watch=edit).upload(scene.request(check_times=False))
    assert not scene.exists()
    result = scene.upload(check_times=False)
    scene.assert_done(result)
    assert result.parts_reused == PARTS - 1


def test_an_edit_of_a_small_file_during_its_request_fails_the_try(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "PutObject", seconds=1.0, when=FaultMoment.AFTER)
    options: dict[str, Any] = {"check_times": False, "multipart_threshold": 2**30}
    with pytest.raises(SourceChangedError, match="a second reading gave other bytes"):
        scene.uploader(watch=edit_once(scene, scene.exists)).upload(scene.request(**options))
    scene.assert_done(scene.upload(**options))
