"""Sequential uploads: in order, Content-MD5 at the end, and a part that is there already is no failure."""

from __future__ import annotations

import base64
import hashlib

from airflow_provider_oss_resume.devserver import FaultKind
from tests.server.uploads import BUCKET, PARTS, Scene


def test_parts_come_in_order_and_the_object_carries_its_md5(scene: Scene) -> None:
    result = scene.upload(sequential=True, max_concurrency=4)
    scene.assert_done(result)
    assert scene.sent() == list(range(1, PARTS + 1))
    md5 = base64.b64encode(hashlib.md5(scene.file.read_bytes()).digest()).decode()
    assert scene.client.head_object(BUCKET, scene.key).headers["content-md5"] == md5


def test_a_part_whose_reply_was_lost_is_not_a_failure(scene: Scene) -> None:
    scene.fault(FaultKind.DROP_REPLY, "UploadPart", part_number=3)
    result = scene.upload(sequential=True)
    scene.assert_done(result)
    assert scene.sent().count(3) == 2
    assert len(scene.sent()) == PARTS + 1


def test_a_sequential_upload_resumes(scene: Scene) -> None:
    scene.stop_after(3, sequential=True)
    result = scene.upload(sequential=True)
    scene.assert_done(result)
    assert scene.sent() == list(range(4, PARTS + 1))


def test_a_changed_part_cannot_be_replaced_so_the_upload_starts_over(scene: Scene) -> None:
    scene.stop_after(3, sequential=True)
    scene.edit(0)
    result = scene.upload(sequential=True)
    scene.assert_done(result)
    assert scene.count("AbortMultipartUpload") == 1
    assert set(scene.sent()) == set(range(1, PARTS + 1))


def test_an_upload_started_with_another_method_is_not_continued(scene: Scene) -> None:
    scene.stop_after(3)
    result = scene.upload(sequential=True)
    scene.assert_done(result)
    assert scene.sent() == list(range(1, PARTS + 1))
