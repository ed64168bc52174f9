"""Uploads that other clients left under the key: what is used of them, and what the log says of the others."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint.ownership import this_process
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner, OwnerProcess, encode
from airflow_provider_oss_resume.exceptions import AccessDeniedError, CheckpointError, NotFoundError
from airflow_provider_oss_resume.oss.client_encryption.master_keys import KMSMasterKey
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.upload.resume import adopt
from airflow_provider_oss_resume.upload.resume.adopt import SAMPLE_BYTES, SAMPLES, samples
from airflow_provider_oss_resume.upload.resume.bucket_state import find_uploads, head_or_none
from tests.server.uploads import BUCKET, PART, SIZE, Scene, content

HELD = [1, 2, 3, 5, 6]


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield


def leave(scene: Scene, held: list[int], data: bytes | None = None) -> str:
    """Leave an upload as a client that died."""
    data = scene.file.read_bytes() if data is None else data
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key)
    for number in held:
        scene.client.upload_part(BUCKET, scene.key, upload_id, number, data[(number - 1) * PART : number * PART])
    scene.server.clear_requests()
    return upload_id


def remove(scene: Scene, *uploads: str) -> None:
    for upload_id in uploads:
        scene.client.abort_multipart_upload(BUCKET, scene.key, upload_id)


def lines_about(caplog: pytest.LogCaptureFixture, upload_id: str) -> list[str]:
    """Return what the log says of an upload that is not used."""
    lines = (record.getMessage() for record in caplog.records)
    return [line for line in lines if line.startswith(f"upload {upload_id} ") and "is not used" in line]


# --- what is used


@pytest.mark.parametrize("edited", [[1, 6], [1, 2, 3, 5], [1, 3, 5, 6]], ids=str)
def test_parts_that_were_not_edited_are_kept_whichever_were(scene: Scene, edited: list[int]) -> None:
    """Edited in the first and the last kept part, the whole upload was dropped (issue 8, A8a)."""
    left = leave(scene, HELD)
    scene.edit(*((number - 1) * PART + 3 for number in edited))
    result = scene.upload()
    scene.assert_done(result)
    assert (result.upload_id, result.parts_reused) == (left, len(HELD) - len(edited))
    assert not set(scene.sent()) & (set(HELD) - set(edited))


def test_an_upload_of_another_content_is_not_used_and_named(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    left = leave(scene, HELD, content(SIZE, seed=9))
    result = scene.upload()
    assert (result.parts_reused, result.recovered) == (0, False)
    [line] = lines_about(caplog, left)
    assert "holds 5 parts (500 KiB) and is not used: its parts have other bytes than the source" in line
    remove(scene, left)
    scene.assert_done(result)


def test_all_parts_are_compared_unless_they_are_many_and_large() -> None:
    few = tuple(Part(number, PART, "") for number in range(1, 501))
    compared = list(samples(few))
    assert sorted(compared, key=lambda part: part.number) == list(few), "each one once"
    assert [part.number for part in compared[:4]] == [1, 500, 251, 126], "far apart from each other first"
    large = tuple(replace(part, size=SAMPLE_BYTES) for part in few)
    assert len(list(samples(large))) == SAMPLES
    assert [part.number for part in samples(few[:1])] == [1]
    assert list(samples(())) == []


# --- what is logged


def test_of_two_uploads_the_one_that_is_not_used_is_named_with_how_to_remove_it(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.key = f"{scene.key} it's"
    small, large = leave(scene, [1]), leave(scene, HELD)
    result = scene.upload()
    assert result.upload_id == large
    [line] = lines_about(caplog, small)
    assert f"is not used: upload {large} has more of the source" in line
    command = line.partition("ossutil ")[2]
    shell = "import json, sys; print(json.dumps(sys.argv[1:]))"
    words = subprocess.run(["sh", "-c", f'{sys.executable} -c "{shell}" {command}'], capture_output=True, check=True)
    assert json.loads(words.stdout) == [
        *("api", "abort-multipart-upload", "--bucket", BUCKET, "--key", scene.key, "--upload-id", small)
    ]
    assert lines_about(caplog, large) == []
    remove(scene, small)
    scene.assert_done(result)


REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"multipart_threshold": SIZE + 1}, "the file is smaller than multipart_threshold"),
    ({"adopt_uploads": False}, "adopt_uploads is False"),
    ({"multipart_threshold": SIZE + 1, "adopt_uploads": False}, "adopt_uploads is False"),
    ({"sequential": True}, "OSS does not report whether it is sequential"),
    ({"master_key": KMSMasterKey(encrypt=bytes, decrypt=bytes)}, "only the lost checkpoint has its data key"),
]


IDS = ["small", "declined", "small and declined", "sequential", "encrypted"]


@pytest.mark.parametrize(("options", "why"), REQUESTS, ids=IDS)
def test_a_retry_names_what_its_request_cannot_use(
    scene: Scene, caplog: pytest.LogCaptureFixture, options: dict[str, Any], why: str
) -> None:
    left = leave(scene, HELD)
    scene.uploader(owner=Owner(try_number=2)).upload(scene.request(**options))
    [line] = lines_about(caplog, left)
    assert f"is not used: {why}" in line
    remove(scene, left)


@pytest.mark.parametrize(("options", "_why"), REQUESTS, ids=IDS)
def test_a_first_try_that_can_use_none_does_not_ask(scene: Scene, options: dict[str, Any], _why: str) -> None:
    scene.upload(**options)
    assert scene.count("ListMultipartUploads") == 0


# --- another task may be sending it


def test_an_upload_with_a_recent_part_is_reported_as_possibly_active(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    left = leave(scene, HELD)
    scene.assert_done(scene.upload())
    assert f"upload {left}: its latest part arrived" in caplog.text
    assert "another task or client may still be sending it" in caplog.text


def test_an_upload_that_rests_is_resumed_without_a_warning(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopt, "FRESH", -1.0)  # as if a minute had passed
    leave(scene, HELD)
    scene.assert_done(scene.upload())
    assert "may still be sending it" not in caplog.text


class Others:
    """The checkpoint of another task, which ends after some listings."""

    def __init__(self, text: str, listings: int) -> None:
        self._text = text
        self.left = listings

    def texts(self) -> Iterator[tuple[str, str]]:
        self.left -= 1
        if self.left >= 0:
            yield "other", self._text

    def remove(self, store_key: str) -> None:
        raise NotImplementedError


@pytest.fixture
def other_task() -> Iterator[Owner]:
    """A living process that runs another task."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield this_process(Owner(dag_id="nightly", run_id="r", task_id="other", process=OwnerProcess(pid=process.pid)))
        process.kill()


def others_of(scene: Scene, upload_id: str, owner: Owner, listings: int) -> Others:
    text = encode(Checkpoint(upload_id, "e", BUCKET, scene.key, PART, "d", "file:///x", Fingerprint(SIZE, "t"), owner))
    return Others(text, listings)


def test_a_second_task_does_not_adopt_what_a_living_one_sends(
    scene: Scene, other_task: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sent, and both were green (issue 8, C19)."""
    monkeypatch.setattr(adopt, "SENDER_PATIENCE", 0.3)
    left = leave(scene, HELD)
    others = others_of(scene, left, other_task, 1000)
    with pytest.raises(CheckpointError, match=rf"of task 'other' of DAG 'nightly' sends upload {left}"):
        scene.uploader(others=others).upload(scene.request())
    assert (scene.sent(), scene.uploads_left(), scene.store.text) == ([], [left], None)
    remove(scene, left)


def test_a_task_that_ends_meanwhile_is_waited_for(
    scene: Scene, other_task: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopt, "LOOK_INTERVAL", 0.1)
    left = leave(scene, HELD)
    others = others_of(scene, left, other_task, 3)
    result = scene.uploader(others=others).upload(scene.request())
    scene.assert_done(result)
    assert (result.upload_id, result.parts_reused) == (left, len(HELD))
    assert others.left < 0


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
def test_a_task_that_died_is_not_waited_for(scene: Scene, named: bool) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        dead = this_process(Owner(task_id="other", process=OwnerProcess(pid=process.pid)))
        process.kill()
    left = leave(scene, HELD)
    others = others_of(scene, left, dead, 1000)
    request = scene.request(upload_id=left if named else None)
    result = scene.uploader(others=others).upload(request)
    scene.assert_done(result)
    assert result.upload_id == left


def test_this_process_is_no_other_task(scene: Scene) -> None:
    left = leave(scene, HELD)
    others = others_of(scene, left, this_process(Owner(task_id="other", process=OwnerProcess(pid=os.getpid()))), 1000)
    scene.assert_done(scene.uploader(others=others).upload(scene.request()))


def test_a_named_upload_that_a_living_task_sends_is_refused_too(
    scene: Scene, other_task: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopt, "SENDER_PATIENCE", 0.3)
    left = leave(scene, HELD)
    others = others_of(scene, left, other_task, 1000)
    with pytest.raises(CheckpointError, match=f"sends upload {left}"):
        scene.uploader(others=others).upload(scene.request(upload_id=left))
    remove(scene, left)


def test_a_wrong_secret_is_not_taken_for_a_bucket_without_uploads(scene: Scene) -> None:
    scene.fail("ListMultipartUploads", 403, "SignatureDoesNotMatch")
    with pytest.raises(AccessDeniedError, match="SignatureDoesNotMatch"):
        find_uploads(scene.client, BUCKET, scene.key)


def test_a_missing_bucket_is_not_taken_for_a_missing_object(scene: Scene) -> None:
    assert head_or_none(scene.client, BUCKET, scene.key) is None
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        head_or_none(scene.client, "no-such-bucket", scene.key)
