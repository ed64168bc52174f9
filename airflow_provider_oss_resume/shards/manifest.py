"""The manifest of a sharded batch: each bundle leaves its lines in the bucket, and the complete step joins them.

A million lines fit neither into an XCom nor into memory. The lines of a bundle are an object beside the list of files;
one of them at a time is in a temporary file.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from airflow_provider_oss_resume.batch.catalog import ManifestEntry
from airflow_provider_oss_resume.exceptions import NotFoundError, ObjectChangedError, PlanError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.shards.batch_plan import BatchPlan

PLAN_METADATA = "oss-resume-plan"
"""Metadata of the manifest: a complete step that runs again after it deleted the lines knows its manifest by it."""

Fetch = Callable[["BundleLines", IO[bytes]], None]
Line = tuple[bytes, bytes]
"""Key, by which the lines are in order, and JSON."""


@dataclass(frozen=True, slots=True)
class BundleLines:
    """The object with the manifest's lines of one bundle."""

    key: str
    etag: str
    size: int

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> BundleLines:
        """Return what the result of a bundle says.

        :raises PlanError: the bundle wrote no lines.
        """
        try:
            return cls(**result["lines"])
        except (KeyError, TypeError) as error:
            raise PlanError(
                f"bundle {result.get('bundle')!r} wrote no lines of the manifest, because its task had no "
                "manifest_key: clear the plan task with all tasks downstream of it"
            ) from error


def lines_prefix(list_key: str) -> str:
    """Return what the keys of all lines of one run begin with, whatever plan they belong to."""
    return list_key.removesuffix(".jsonl") + "-"


def lines_key(plan: BatchPlan, number: int) -> str:
    """Return the key of the lines of one bundle.

    By plan: a shard of an older plan must not replace lines of the newer one.
    """
    return f"{lines_prefix(plan.file_list.key)}{plan.plan_id}-{number}.jsonl"


def line_of(entry: ManifestEntry) -> Line:
    """Return one line of the manifest."""
    return entry.key.encode(), json.dumps(asdict(entry)).encode() + b"\n"


def write_lines(file: IO[bytes], bundles: Sequence[BundleLines], large: Sequence[ManifestEntry], fetch: Fetch) -> None:
    """Write all lines in the order of their keys.

    :param bundles: in their order, which is that of their keys.
    :param large: files that are in no bundle, in the order of their keys.
    :param fetch: writes the lines of a bundle to a file.
    """
    for _, line in heapq.merge(_lines(bundles, fetch), map(line_of, large)):
        file.write(line)
    file.flush()


def _lines(bundles: Sequence[BundleLines], fetch: Fetch) -> Iterator[Line]:
    for one in bundles:
        with tempfile.TemporaryFile() as file:
            fetch(one, file)
            file.seek(0)
            for line in file:
                yield json.loads(line)["key"].encode(), line


def fetch_lines(client: OSSClient, bucket: str, lines: BundleLines, file: IO[bytes]) -> None:
    """Write the lines of a bundle to a file.

    :raises PlanError: they were deleted or replaced.
    """
    if not lines.size:
        return
    try:
        client.read_range(bucket, lines.key, 0, lines.size - 1, lines.etag, lambda _, block: _write(file, block))
    except (NotFoundError, ObjectChangedError) as error:
        raise PlanError(
            f"lines of the manifest, {bucket}/{lines.key}, were deleted or replaced: clear the plan task with all "
            "tasks downstream of it"
        ) from error


def _write(file: IO[bytes], block: bytes) -> None:
    file.write(block)


def is_written(client: OSSClient, bucket: str, key: str, plan: BatchPlan) -> bool:
    """Return whether an earlier try has written the manifest of this plan."""
    try:
        return client.head_object(bucket, key).metadata.get(PLAN_METADATA) == plan.plan_id
    except NotFoundError:
        return False
