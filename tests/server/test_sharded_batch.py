"""Many files over several processes, step by step against the dev server."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.batch import BatchLimits, BatchOutput, BatchRequest, BatchUploader, KeyTemplate
from airflow_provider_oss_resume.batch.checkpoint_set import CheckpointSet
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    EmptySelectionError,
    FilesFailedError,
    PlanError,
    SourceChangedError,
    UploadCancelled,
)
from airflow_provider_oss_resume.shards import BatchPlan, ShardedBatch, ShardedUpload, Sharding, Uploaders
from airflow_provider_oss_resume.shards.sharding import share_out
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Cancel, Uploader, UploadRequest
from tests.server.uploads import BUCKET, PART, Scene

THRESHOLD = 2 * PART
LARGE = 60 * PART
"""More than a third of all, with the cost of forty small files."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    (folder / "deep").mkdir(parents=True)
    for number in range(5):
        (folder / "deep" / f"{number}.csv").write_bytes(bytes([number]) * (100 + number))
    (folder / "large.bin").write_bytes(random.Random(3).randbytes(LARGE))
    return folder


def request_of(scene: Scene, folder: Path, **changes: Any) -> BatchRequest:
    def request_for(source: Source, key: str) -> UploadRequest:
        return UploadRequest(source, BUCKET, key, part_size=PART, multipart_threshold=THRESHOLD, max_concurrency=2)

    limits = BatchLimits(max_concurrency=2, multipart_threshold=THRESHOLD)
    values: dict[str, Any] = {"limits": limits, **changes}
    return BatchRequest(LocalSelection([str(folder)]), BUCKET, KeyTemplate(f"{scene.key}/"), request_for, **values)


def batch(scene: Scene, folder: Path, store: MemoryStore | None = None, **changes: Any) -> ShardedBatch:
    entry = None if store is None else CheckpointSet(store).entry
    uploaders = Uploaders(
        lambda key: Uploader(scene.client, None if entry is None else entry(key)),
        lambda: BatchUploader(scene.client, MemoryStore()),
    )
    return ShardedBatch(scene.client, request_of(scene, folder, **changes), uploaders, "oss_resume_1")


def planned(scene: Scene, folder: Path, sharding: Sharding, **changes: Any) -> BatchPlan:
    plan = batch(scene, folder, scene.store, **changes).plan(sharding)
    return BatchPlan.from_dict(json.loads(json.dumps(plan.as_dict())))


def sent(scene: Scene, folder: Path, plan: BatchPlan, *shards: int) -> list[dict[str, Any]]:
    indexes = shards or range(len(plan.shards))
    return [json.loads(json.dumps(batch(scene, folder).send(plan, index))) for index in indexes]


def stored(scene: Scene) -> dict[str, bytes]:
    found = {}
    for one in scene.client.list_objects(BUCKET, f"{scene.key}/"):
        with scene.client.get_object(BUCKET, one.key) as (_, blocks):
            found[one.key.removeprefix(f"{scene.key}/")] = b"".join(blocks)
    return found


def expected(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_large_file_is_split_and_the_others_are_bundled(scene: Scene, folder: Path) -> None:
    plan = planned(scene, folder, Sharding(4))
    assert [(shard.number, shard.shard) for shard in plan.shards] == [(0, 0), (0, 1), (0, -1), (1, -1)]
    assert sum(one.files for one in plan.bundles) == 5
    result = batch(scene, folder).complete(plan, sent(scene, folder, plan))
    assert stored(scene) == expected(folder)
    assert (result.counts.files, result.counts.sent) == (6, 6)
    assert result.counts.bytes == sum(len(one) for one in expected(folder).values())


def test_small_files_alone(scene: Scene, folder: Path) -> None:
    (folder / "large.bin").unlink()
    plan = planned(scene, folder, Sharding(3))
    assert (plan.large, [one.files for one in plan.bundles]) == ((), [2, 2, 1])
    batch(scene, folder, output=BatchOutput(success_key=f"{scene.key}/_SUCCESS")).complete(
        plan, sent(scene, folder, plan)
    )
    assert stored(scene) == {**expected(folder), "_SUCCESS": b""}


def test_a_bundle_that_failed_sends_only_what_is_missing(scene: Scene, folder: Path) -> None:
    (folder / "large.bin").unlink()
    plan = planned(scene, folder, Sharding(1))
    scene.fail("PutObject", 403, "AccessDenied", skip=2, count=2)
    with pytest.raises(FilesFailedError):
        sent(scene, folder, plan)
    scene.server.clear_requests()
    batch(scene, folder).complete(plan, sent(scene, folder, plan))
    puts = [one for one in scene.server.requests("PutObject") if one.key.startswith(scene.key)]
    assert (len(puts), stored(scene)) == (2, expected(folder))


def test_a_worker_without_the_files_is_named(scene: Scene, folder: Path) -> None:
    (folder / "large.bin").unlink()
    plan = planned(scene, folder, Sharding(1))
    (folder / "deep" / "3.csv").unlink()
    with pytest.raises(
        FilesFailedError, match=rf"on worker {socket.gethostname()}, 1 of 5 files failed(?s:.*)3\.csv"
    ) as error:
        sent(scene, folder, plan)
    assert len(error.value.failed) == 1


def test_a_plan_that_is_made_again_finds_its_uploads(scene: Scene, folder: Path) -> None:
    first = planned(scene, folder, Sharding(4))
    sent(scene, folder, first, 0)
    second = planned(scene, folder, Sharding(4))
    assert second.large[0].plan.destination.upload_id == first.large[0].plan.destination.upload_id
    scene.server.clear_requests()
    batch(scene, folder).complete(second, sent(scene, folder, second))
    assert len([one for one in scene.server.requests("UploadPart") if one.key.startswith(scene.key)]) == 30
    with pytest.raises(PlanError, match=r"no result of 2 of 2 bundles.*map index 2"):
        batch(scene, folder).complete(second, sent(scene, folder, second, 0, 1))


def test_a_list_that_was_replaced_is_not_read(scene: Scene, folder: Path) -> None:
    plan = planned(scene, folder, Sharding(4))
    scene.client.put_object(BUCKET, plan.file_list.key, b"{}\n")
    with pytest.raises(PlanError, match="was deleted or replaced since the plan was made: clear the plan task"):
        sent(scene, folder, plan, 2)


def test_an_abort_leaves_nothing(scene: Scene, folder: Path) -> None:
    plan = planned(scene, folder, Sharding(4))
    sent(scene, folder, plan, 0)
    batch(scene, folder).abort(
        plan, lambda one: scene.client.abort_multipart_upload(one.bucket, one.key, one.upload_id)
    )
    assert (stored(scene), list(scene.client.list_multipart_uploads(BUCKET, scene.key))) == ({}, [])


def test_nothing_is_sent_for_input_that_cannot_work(scene: Scene, folder: Path, tmp_path: Path) -> None:
    empty, stop = tmp_path / "empty", Cancel()
    empty.mkdir()
    with pytest.raises(EmptySelectionError):
        planned(scene, empty, Sharding(4))
    key = f"{scene.key}/deep/1.csv"
    for name, taken in (("manifest_key", BatchOutput(manifest_key=key)), ("success_key", BatchOutput(success_key=key))):
        with pytest.raises(ConfigurationError, match=f"{name} '{key}' is the key of a file too"):
            planned(scene, folder, Sharding(4), output=taken)
    (folder / "large.bin").unlink()
    with pytest.raises(ConfigurationError, match="shards is 9, and the source has 5 files"):
        planned(scene, folder, Sharding(9, shards=9))
    stop.request("killed")
    with pytest.raises(UploadCancelled):
        batch(scene, folder).plan(Sharding(2), stop)
    assert scene.server.requests("PutObject") == []


def test_empty_files(scene: Scene, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for number in range(3):
        (empty / f"{number}").touch()
    plan = planned(scene, empty, Sharding(8), **with_manifest(scene))
    assert (
        batch(scene, empty, **with_manifest(scene)).complete(plan, send_with_manifest(scene, empty, plan)).counts.bytes
        == 0
    )
    assert stored(scene) == {"0": b"", "1": b"", "2": b""}
    assert [line["size"] for line in manifest(scene)] == [0, 0, 0]
    one = ShardedUpload(Uploader(scene.client), UploadRequest(empty / "0", BUCKET, f"{scene.key}/alone"))
    alone = one.plan(Sharding(8))
    assert (alone.count, one.complete(alone, []).size if alone.upload else alone.result["size"]) == (0, 0)


def test_a_directory_that_changes_after_the_plan(scene: Scene, folder: Path) -> None:
    plan = planned(scene, folder, Sharding(4))
    (folder / "deep" / "0.csv").write_bytes(b"edited")
    (folder / "deep" / "new.csv").write_bytes(b"new")
    (folder / "large.bin").write_bytes(b"x" * LARGE)
    sent(scene, folder, plan, 2, 3)
    with pytest.raises(SourceChangedError, match="clear the plan task"):
        sent(scene, folder, plan, 0)
    assert stored(scene)["deep/0.csv"] == b"edited"
    (folder / "deep" / "1.csv").unlink()
    with pytest.raises(FilesFailedError, match=r"deep/1\.csv"):
        sent(scene, folder, plan, 2, 3)
    again = planned(scene, folder, Sharding(4))
    batch(scene, folder).complete(again, sent(scene, folder, again))
    assert {name: body for name, body in stored(scene).items() if name != "deep/1.csv"} == expected(folder)
    assert list(scene.client.list_multipart_uploads(BUCKET, scene.key)) == []


def test_an_empty_selection_that_is_allowed(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    plan = planned(scene, tmp_path / "empty", Sharding(4), allow_empty=True)
    assert (plan.shards, batch(scene, tmp_path / "empty").complete(plan, []).counts.files) == ((), 0)


# ---------------------------------------------------------------- the manifest


def with_manifest(scene: Scene) -> dict[str, Any]:
    return {"output": BatchOutput(manifest_key=f"{scene.key}-manifest.jsonl")}


def manifest(scene: Scene) -> list[dict[str, Any]]:
    with scene.client.get_object(BUCKET, f"{scene.key}-manifest.jsonl") as (_, blocks):
        return [json.loads(line) for line in b"".join(blocks).splitlines()]


def send_with_manifest(scene: Scene, folder: Path, plan: BatchPlan) -> list[dict[str, Any]]:
    sender = batch(scene, folder, **with_manifest(scene))
    return [json.loads(json.dumps(sender.send(plan, index))) for index in range(len(plan.shards))]


@pytest.mark.parametrize("workers", [1, 4, 6])
def test_the_manifest_is_that_of_one_process(scene: Scene, folder: Path, workers: int) -> None:
    for name in ("0-first.csv", "zz-last.csv"):
        (folder / name).write_bytes(name.encode())
    BatchUploader(scene.client).upload(request_of(scene, folder, **with_manifest(scene)))
    by_one = manifest(scene)
    for one in list(scene.client.list_objects(BUCKET, scene.key)):
        scene.client.delete_object(BUCKET, one.key)
    plan = planned(scene, folder, Sharding(workers), **with_manifest(scene))
    result = batch(scene, folder, **with_manifest(scene)).complete(plan, send_with_manifest(scene, folder, plan))
    assert result.manifest_key == f"{scene.key}-manifest.jsonl"
    assert without_etag(manifest(scene)) == without_etag(by_one)
    assert {one["etag"] for one in manifest(scene)} == {
        scene.client.head_object(BUCKET, one["key"]).etag for one in by_one
    }
    assert stored(scene) == expected(folder)


def without_etag(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**line, "etag": ""} for line in lines]


def test_a_complete_that_died_after_the_manifest_is_settled(scene: Scene, folder: Path) -> None:
    plan = planned(scene, folder, Sharding(4), **with_manifest(scene))
    results = send_with_manifest(scene, folder, plan)
    for _ in range(2):
        batch(scene, folder, **with_manifest(scene)).complete(plan, results)
    assert (len(manifest(scene)), stored(scene)) == (6, expected(folder))


def test_lines_of_an_older_plan_go_too(scene: Scene, folder: Path) -> None:
    old = planned(scene, folder, Sharding(4), **with_manifest(scene))
    send_with_manifest(scene, folder, old)
    (folder / "deep" / "0.csv").unlink()
    plan = planned(scene, folder, Sharding(4), **with_manifest(scene))
    results = send_with_manifest(scene, folder, plan)
    assert batch(scene, folder, **with_manifest(scene)).complete(plan, results).counts.files == 5
    assert len(manifest(scene)) == 5
    assert set(stored(scene)) == {*expected(folder), "deep/0.csv"}


def test_lines_that_are_missing_name_what_to_clear(scene: Scene, folder: Path) -> None:
    plan = planned(scene, folder, Sharding(4), **with_manifest(scene))
    results = send_with_manifest(scene, folder, plan)
    (lines,) = [one for one in stored(scene) if one.endswith("-1.jsonl")]
    scene.client.put_object(BUCKET, f"{scene.key}/{lines}", b"other")
    with pytest.raises(PlanError, match="were deleted or replaced: clear the plan task"):
        batch(scene, folder, **with_manifest(scene)).complete(plan, results)
    without = [{name: value for name, value in one.items() if name != "lines"} for one in results]
    with pytest.raises(PlanError, match="had no manifest_key: clear the plan task"):
        batch(scene, folder, **with_manifest(scene)).complete(plan, without)
    batch(scene, folder, **with_manifest(scene)).abort(plan, lambda _: None)
    assert stored(scene) == expected(folder)


def test_no_permission_to_list_leaves_the_lines_and_says_so(
    scene: Scene, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = planned(scene, folder, Sharding(4), **with_manifest(scene))
    results = send_with_manifest(scene, folder, plan)
    scene.fail("ListObjectsV2", 403, "AccessDenied")
    batch(scene, folder, **with_manifest(scene)).complete(plan, results)
    assert len(manifest(scene)) == 6
    assert "cannot be deleted" in caplog.text


LINES = """
import json, sys, tempfile
from airflow_provider_oss_resume.batch.catalog import ManifestEntry
from airflow_provider_oss_resume.shards.manifest import BundleLines, line_of, write_lines

count = int(sys.argv[1])

def fetch(one, file):
    first = int(one.key)
    for n in range(first, first + count // 10):
        file.write(line_of(ManifestEntry(f"/data/{n:09}", f"night/{n:09}", n, str(n), "E" * 32))[1])

file = tempfile.TemporaryFile()
write_lines(file, [BundleLines(str(n * (count // 10)), "e", 1) for n in range(10)], [], fetch)
file.seek(0)
keys = 0
last = ""
for line in file:
    key = json.loads(line)["key"]
    assert key > last
    keys, last = keys + 1, key
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024
print(json.dumps([keys, peak]))
"""


def test_the_manifest_of_many_files_takes_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", LINES, "200000"], capture_output=True, text=True, check=True)
    lines, peak = json.loads(done.stdout)
    assert lines == 200_000
    assert peak < 128


def test_no_permission_for_the_list_ends_the_plan(scene: Scene, folder: Path) -> None:
    scene.fail("PutObject", 403, "AccessDenied")
    with pytest.raises(AccessDeniedError):
        planned(scene, folder, Sharding(2))


@pytest.mark.parametrize(
    ("weights", "shards", "given"),
    [([10, 1], 4, [3, 1]), ([5, 5, 5], 3, [1, 1, 1]), ([9, 3], 4, [3, 1]), ([7], 2, [2])],
)
def test_the_heaviest_shard_is_as_light_as_can_be(weights: list[int], shards: int, given: list[int]) -> None:
    assert share_out(weights, shards) == given


MILLION = """
import json, sys, tempfile
from airflow_provider_oss_resume.batch.catalog import Catalog
from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.shards.batch_plan import BatchPlan, FileList
from airflow_provider_oss_resume.shards.batch_planning import divide, write_list
from airflow_provider_oss_resume.shards.plan import PlanOrigin
from airflow_provider_oss_resume.shards.sharding import Sharding
from airflow_provider_oss_resume.sources.selection import SelectedFile

count = int(sys.argv[1])
found = (SelectedFile(f"/data/{n % 997}/{n}.parquet", f"{n % 997}/{n}.parquet", 1000 + n % 77) for n in range(count))
catalog, file = Catalog(), tempfile.TemporaryFile()
assert not list(catalog.fill(found, KeyTemplate("night/")))
bundles = write_list(file, catalog, divide(catalog, Sharding(64), 16 * 2**20))
plan = BatchPlan(PlanOrigin("p", "h"), "b", "night/", FileList("k", "e", bundles), running=64)
files = [one.files for one in bundles]
# Not ru_maxrss: it starts with the size of the process that started this one.
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024
print(json.dumps([peak, len(json.dumps(plan.as_dict())), sum(files), max(files) - min(files), len(files)]))
"""


def plan_of(count: int) -> list[int]:
    """Return peak MiB of a process that plans so many files, bytes of the plan, files, imbalance, bundles."""
    done = subprocess.run([sys.executable, "-c", MILLION, str(count)], capture_output=True, text=True, check=True)
    found: list[int] = json.loads(done.stdout)
    return found


def test_a_plan_of_many_files_is_small() -> None:
    peak, size, files, imbalance, bundles = plan_of(20_000)
    assert (files, bundles) == (20_000, 64)
    assert peak < 256
    assert size < 2**20
    assert imbalance <= 2


@pytest.mark.slow
def test_a_plan_of_a_million_files_is_as_small() -> None:
    peak, size, files, imbalance, _ = plan_of(1_000_000)
    print(f"peak {peak} MiB, plan {size} bytes")
    assert (files, peak < 256, size < 2**20) == (1_000_000, True, True)
    assert imbalance < 20
