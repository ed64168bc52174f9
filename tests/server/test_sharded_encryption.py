"""Client-side encryption over several processes, seen from the wire: no key stream is used for two plaintexts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_oss_resume.batch import BatchLimits, BatchRequest, BatchUploader, KeyTemplate
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    InvalidRequestError,
    PlanError,
    SourceChangedError,
)
from airflow_provider_oss_resume.oss.client_encryption.decryption import open_decrypted
from airflow_provider_oss_resume.oss.client_encryption.encryption import HEADER
from airflow_provider_oss_resume.oss.client_encryption.master_keys import RSAMasterKey
from airflow_provider_oss_resume.shards import (
    BatchPlan,
    Plan,
    ShardedBatch,
    ShardedUpload,
    Sharding,
    ShardResult,
    Uploaders,
)
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import IfExists, Uploader, UploadRequest
from tests.server.test_encryption_on_the_wire import Recorder, assert_stored, encrypted, kind, master, wire
from tests.server.uploads import BUCKET, PART, PARTS, Scene, content

__all__ = ["encrypted", "kind", "master", "wire"]  # fixtures


def sharded(scene: Scene, store: MemoryStore | None = None, **changes: Any) -> ShardedUpload:
    return ShardedUpload(Uploader(scene.client, store), scene.request(**changes))


def planned(scene: Scene, **changes: Any) -> Plan:
    return Plan.from_dict(sharded(scene, scene.store, **changes).plan(Sharding(3)).as_dict())


def sent(scene: Scene, plan: Plan, *shards: int) -> list[ShardResult]:
    results = [sharded(scene, MemoryStore()).send(plan, shard) for shard in shards]
    return [ShardResult.from_dict(one.as_dict()) for one in results]


def test_shards_make_one_encrypted_object(encrypted: Scene, wire: Recorder, master: RSAMasterKey) -> None:
    plan = planned(encrypted)
    results = sent(encrypted, plan, 2, 0, 1)
    sharded(encrypted).complete(plan, results)
    assert (encrypted.sent(), len(wire.keys())) == (list(range(1, PARTS + 1)), 1)
    assert_stored(encrypted, master)


def test_the_plan_has_the_data_key_only_wrapped(scene: Scene, master: RSAMasterKey) -> None:
    plan = planned(scene, master_key=master)
    wrapped = plan.destination.wrapped
    assert wrapped is not None
    [started] = scene.requests("InitiateMultipartUpload")
    assert started.headers[f"{HEADER}key"] == wrapped.key
    for text in (wrapped.key, wrapped.start):
        secret = master.unwrap(base64.b64decode(text))
        assert not {secret.hex(), base64.b64encode(secret).decode()} & set(str(plan.as_dict()).split("'"))


def test_a_shard_that_died_resumes_with_the_same_key(encrypted: Scene, wire: Recorder, master: RSAMasterKey) -> None:
    plan = planned(encrypted)
    encrypted.fail("UploadPart", 400, "InvalidArgument", skip=2)
    with pytest.raises(InvalidRequestError, match="InvalidArgument"):
        sent(encrypted, plan, 2)
    results = sent(encrypted, plan, 0, 1, 2)
    sharded(encrypted).complete(plan, results)
    assert results[2].parts_reused == 2
    assert len(wire.keys()) == 1
    assert_stored(encrypted, master)


def test_an_edit_that_a_kept_part_shows_needs_a_new_plan_with_a_new_key(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey
) -> None:
    plan = planned(encrypted)
    encrypted.fail("UploadPart", 400, "InvalidArgument", skip=1)
    with pytest.raises(InvalidRequestError, match="InvalidArgument"):
        sent(encrypted, plan, 0)
    encrypted.edit(5, PART + 5)  # in a part that OSS has, and in one that it has not
    with pytest.raises((PlanError, SourceChangedError), match="clear the plan task"):
        sent(encrypted, plan, 0)
    again = planned(encrypted)
    sharded(encrypted).complete(again, sent(encrypted, again, 0, 1, 2))
    assert len(wire.keys()) == 2
    assert_stored(encrypted, master)


def test_a_cleared_plan_keeps_its_key_and_its_parts(encrypted: Scene, wire: Recorder, master: RSAMasterKey) -> None:
    sent(encrypted, planned(encrypted), 1)
    plan = planned(encrypted)
    results = sent(encrypted, plan, 0, 1, 2)
    sharded(encrypted).complete(plan, results)
    assert results[1].parts_reused == plan.span(1).count
    assert len(wire.keys()) == 1
    assert_stored(encrypted, master)


def test_a_plan_whose_upload_was_aborted_gets_another_key(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey
) -> None:
    old = planned(encrypted)
    sent(encrypted, old, 1)
    upload = old.destination
    encrypted.client.abort_multipart_upload(upload.bucket, upload.key, upload.upload_id)
    plan = planned(encrypted)
    sharded(encrypted).complete(plan, sent(encrypted, plan, 0, 1, 2))
    assert len(wire.keys()) == 2
    assert_stored(encrypted, master)


def test_a_complete_that_died_after_the_request_is_settled(encrypted: Scene, master: RSAMasterKey) -> None:
    plan = planned(encrypted)
    results = sent(encrypted, plan, 0, 1, 2)
    sharded(encrypted).complete(plan, results)
    assert sharded(encrypted).complete(plan, sent(encrypted, plan, 0, 1, 2)).size == plan.layout.size
    assert_stored(encrypted, master)


def test_a_worker_with_another_master_key_sends_nothing(scene: Scene, master: RSAMasterKey) -> None:
    """Its parts would be bytes that nobody can read."""
    plan = planned(scene, master_key=master)
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ConfigurationError, match="wrapped with another"):
        sharded(scene, master_key=RSAMasterKey(private_key=other.decode())).send(plan, 0)
    with pytest.raises(
        PlanError, match="the plan has a data key of client-side encryption, and this task has no master key"
    ):
        sharded(scene).send(plan, 0)
    assert scene.sent() == []


def test_a_plan_without_a_data_key_is_refused_by_a_worker_that_encrypts(scene: Scene, master: RSAMasterKey) -> None:
    plan = planned(scene)
    with pytest.raises(PlanError, match="the plan has no data key of client-side encryption"):
        sharded(scene, master_key=master).send(plan, 0)
    assert scene.sent() == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_bytes(bytes([number]) * 100)
    (folder / "large.bin").write_bytes(content(60 * PART))
    return folder


def test_many_files_in_bundles_and_shards(scene: Scene, folder: Path, master: RSAMasterKey) -> None:
    def request_for(source: Source, key: str) -> UploadRequest:
        return UploadRequest(source, BUCKET, key, part_size=PART, multipart_threshold=2 * PART, master_key=master)

    selection, keys = LocalSelection([str(folder)]), KeyTemplate(f"{scene.key}/")
    limits = BatchLimits(multipart_threshold=2 * PART)
    request = BatchRequest(selection, BUCKET, keys, request_for, if_exists=IfExists.OVERWRITE, limits=limits)
    uploaders = Uploaders(lambda _: Uploader(scene.client), lambda: BatchUploader(scene.client))
    batch = ShardedBatch(scene.client, request, uploaders, "oss_resume_1")
    plan = BatchPlan.from_dict(batch.plan(Sharding(3)).as_dict())
    assert (len(plan.large), len(plan.bundles)) == (1, 1)
    batch.complete(plan, [batch.send(plan, shard) for shard in range(len(plan.shards))])
    for file in folder.iterdir():
        with open_decrypted(scene.client, BUCKET, f"{scene.key}/{file.name}", [master]) as (info, blocks):
            assert b"".join(blocks) == file.read_bytes()
            assert f"{HEADER}key" in info.headers
