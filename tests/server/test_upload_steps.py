"""The steps of one upload, called apart: by several clients and by several processes."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss_resume.exceptions import (
    CallbackFailedError,
    IntegrityError,
    NoSuchUploadError,
    SourceChangedError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.local_file import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.part_set import TransferOptions
from airflow_provider_oss_resume.upload import Cancel, ObjectOptions
from airflow_provider_oss_resume.upload.object_options import COMPLETE
from airflow_provider_oss_resume.upload.steps.complete import complete_and_verify
from airflow_provider_oss_resume.upload.steps.send import send_part_range
from tests.server.conftest import KEYS, ClientFactory
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content

PLAN = PartPlan(SIZE, PART)

WORKER = """
import json, sys
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.part_set import TransferOptions
from airflow_provider_oss_resume.upload.steps.send import send_part_range

url, keys, path, size, part_size, bucket, key, upload_id, first, last = json.loads(sys.argv[1])
with OSSClient(url, Credentials(*keys), "cn-hangzhou") as client:
    parts = send_part_range(
        LocalFile(path), PartPlan(size, part_size), Destination(bucket, key, upload_id),
        range(first, last + 1), TransferOptions(client),
    )
print(json.dumps([[part.number, part.size, part.etag, part.crc64] for part in parts]))
"""


@pytest.fixture
def to(scene: Scene) -> Destination:
    return Destination(BUCKET, scene.key, scene.client.initiate_multipart_upload(BUCKET, scene.key, {}))


def send(scene: Scene, to: Destination, *numbers: int, cancel: Cancel | None = None) -> tuple[Part, ...]:
    return send_part_range(LocalFile(scene.file), PLAN, to, numbers, TransferOptions(scene.client), cancel)


def test_two_processes_send_and_a_third_completes(scene: Scene, to: Destination) -> None:
    def worker(first: int, last: int) -> subprocess.Popen[str]:
        keys = [KEYS.access_key_id, KEYS.access_key_secret]
        args = [scene.server.url, keys, str(scene.file), SIZE, PART, BUCKET, scene.key, to.upload_id, first, last]
        return subprocess.Popen([sys.executable, "-c", WORKER, json.dumps(args)], stdout=subprocess.PIPE, text=True)

    workers = [worker(1, 4), worker(5, PARTS)]
    parts = [Part(*row) for one in workers for row in json.loads(one.communicate(timeout=60)[0])]
    stored = complete_and_verify(scene.client, to, parts)
    assert scene.stored() == content()
    assert (stored.crc64, scene.sent()) == (crc64(content()), list(range(1, PARTS + 1)))


def test_two_clients_send_in_any_order(scene: Scene, to: Destination, make_client: ClientFactory) -> None:
    other = TransferOptions(make_client(scene.server.url), max_concurrency=2)
    late = send_part_range(LocalFile(scene.file), PLAN, to, range(5, PARTS + 1), other)
    early = send(scene, to, 4, 2, 1, 3)
    assert [part.number for part in early] == [1, 2, 3, 4]
    complete_and_verify(scene.client, to, [*late, *early])
    assert scene.stored() == content()


def test_a_range_that_is_sent_again_sends_only_what_is_missing_or_differs(scene: Scene, to: Destination) -> None:
    first = send(scene, to, 1, 2, 3)
    scene.server.clear_requests()
    scene.edit(PART + 5)
    again = send(scene, to, 1, 2, 3, 4)
    assert scene.sent() == [2, 4]
    assert [part.crc64 for part in again][::2] == [part.crc64 for part in first][::2]
    assert again[1].crc64 == crc64(scene.file.read_bytes()[PART : 2 * PART])


@pytest.mark.parametrize("missing", [1, 4])
def test_a_part_that_is_missing_is_not_completed_over(scene: Scene, to: Destination, missing: int) -> None:
    parts = [part for part in send(scene, to, *range(1, PARTS + 1)) if part.number != missing]
    with pytest.raises(IntegrityError, match="not numbered 1 to 7"):
        complete_and_verify(scene.client, to, parts)
    assert not scene.exists()


def test_parts_without_a_checksum_are_not_completed(scene: Scene, to: Destination) -> None:
    send(scene, to, 1)
    with pytest.raises(IntegrityError, match="no CRC-64"):
        complete_and_verify(scene.client, to, [Part(1, PART, "E")])


def test_an_object_that_is_not_what_was_sent_is_an_error(scene: Scene, to: Destination) -> None:
    parts = send(scene, to, 1)
    with pytest.raises(IntegrityError, match="do not use the object"):
        complete_and_verify(scene.client, to, [Part(1, PART, parts[0].etag, 7)])


def test_an_upload_that_does_not_exist(scene: Scene, to: Destination) -> None:
    with pytest.raises(NoSuchUploadError):
        send(scene, Destination(BUCKET, scene.key, "F" * 32), 1)


def test_a_stop_request_ends_the_transfer(scene: Scene, to: Destination) -> None:
    stop = Cancel()
    stop.request("killed", grace=0.0)
    with pytest.raises(UploadCancelled, match="killed"):
        send(scene, to, 1, cancel=stop)


class Changing(LocalFile):
    """A file that is edited after it was opened."""

    def open(self) -> OpenLocalFile:
        opened = super().open()
        Path(self.path).write_bytes(b"x" + content()[1:])
        return opened


def test_a_source_that_changes_meanwhile_is_an_error(scene: Scene, to: Destination) -> None:
    with pytest.raises(SourceChangedError):
        send_part_range(Changing(scene.file), PLAN, to, [1], TransferOptions(scene.client))


@pytest.mark.parametrize("required", [True, False])
def test_a_callback_that_fails(scene: Scene, to: Destination, required: bool) -> None:
    parts = send(scene, to, *range(1, PARTS + 1))
    options = ObjectOptions(callback={"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "a"})
    named = replace(to, headers=options.headers_for(COMPLETE, scene.key))
    with pytest.raises(CallbackFailedError) if required else nullcontext():
        complete_and_verify(scene.client, named, parts, callback_required=required)
    assert scene.stored() == content()
