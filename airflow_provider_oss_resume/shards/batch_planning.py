"""Plan many files in bounded memory: the catalog is a file, and so is the list on its way to the bucket."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TypeVar

from airflow_provider_oss_resume.batch.batch_request import BatchRequest
from airflow_provider_oss_resume.batch.batch_result import BatchCounts, failure_table
from airflow_provider_oss_resume.batch.catalog import BatchFile, Catalog
from airflow_provider_oss_resume.exceptions import EmptySelectionError, FilesFailedError
from airflow_provider_oss_resume.shards.batch_plan import Bundle
from airflow_provider_oss_resume.shards.sharding import Sharding, share_out, weight
from airflow_provider_oss_resume.transfer.progress import human_size

File = TypeVar("File")

log = logging.getLogger(__name__)

MAX_FAILURES = 1000

MAX_LARGE = 256
"""Files that are sent by ranges of parts, at most: the plan holds each of them, and an XCom is to stay small."""


@dataclass(frozen=True, slots=True)
class Division:
    """How the shards are divided.

    :param large: each file that is sent by ranges of parts, with its number of shards.
    :param least: files below this many bytes are in bundles.
    :param bundles: number of bundles.
    """

    large: tuple[tuple[BatchFile, int], ...]
    least: int
    bundles: int


def select(request: BatchRequest, catalog: Catalog, check: Callable[[], None]) -> None:
    """Fill the catalog with all files.

    :param check: called for each file; raises to stop.
    :raises FilesFailedError: some files cannot be uploaded; nothing was sent.
    :raises EmptySelectionError: there is no file, and there must be one.
    """
    failed = []
    for one in catalog.fill(_checked(request.selection.files(), check), request.keys):
        failed.append(one)
        if len(failed) == MAX_FAILURES:
            break
    files, size = catalog.totals()
    if failed:
        counts = BatchCounts(files=files + len(failed), failed=len(failed))
        raise FilesFailedError(failure_table(failed, counts), tuple(failed))
    if not files and not request.allow_empty:
        raise EmptySelectionError("the selection has no file: check source, include and exclude")
    request.output.require_free(catalog.__contains__)
    log.info("plan: %d files, %s, to %s/%s", files, human_size(size), request.bucket, request.keys.prefix)


def _checked(files: Iterator[File], check: Callable[[], None]) -> Iterator[File]:
    for file in files:
        check()
        yield file


def divide(catalog: Catalog, sharding: Sharding, threshold: int) -> Division:
    """Divide the shards among large files and bundles.

    :param threshold: bytes; smaller files go by one request and are in bundles.
    :raises ConfigurationError: more shards are asked for than there are files, and no file is large.
    """
    files, size = catalog.totals()
    if not files:
        return Division((), threshold, 0)
    shards = sharding.shards or min(sharding.workers, sharding.most)
    # Undivided, a file of more than one shard's share keeps one worker busy when all others are done.
    least = max(threshold, weight(files, size) // min(shards, MAX_LARGE) + 1)
    large = tuple(catalog.large(least))
    rest = files - len(large)
    rest_weight = weight(rest, size - sum(file.size for file in large))
    weights = [weight(1, file.size) for file in large] + ([rest_weight] if rest else [])
    if not large:
        return Division((), least, sharding.count(files, "files"))
    given = share_out(weights, shards)
    bundles = min(rest, given[-1]) if rest else 0
    return Division(tuple(zip(large, given, strict=False)), least, bundles)


def write_list(file: IO[bytes], catalog: Catalog, division: Division) -> tuple[Bundle, ...]:
    """Write the files of the bundles, and return the bundles; adjacent keys are in one bundle."""
    files, size = catalog.totals()
    large_size = sum(one.size for one, _ in division.large)
    total = weight(files - len(division.large), size - large_size)
    bundles: list[Bundle] = []
    before, last = 0, -1
    for one in catalog.small(division.least):
        line = json.dumps({"location": one.location, "key": one.key, "size": one.size}).encode() + b"\n"
        # By what comes before it: one pass divides the list, and no list of weights is held.
        number = before * division.bundles // total
        if number != last:
            bundles.append(Bundle(file.tell(), 0, 0, 0))
            last = number
        old = bundles[-1]
        bundles[-1] = Bundle(old.offset, old.length + len(line), old.files + 1, old.size + one.size)
        file.write(line)
        before += weight(1, one.size)
    file.flush()
    return tuple(bundles)


def read_list(file: IO[bytes]) -> Iterator[BatchFile]:
    """Yield the files of a bundle's lines."""
    for line in file:
        yield BatchFile(**json.loads(line))


def list_key(prefix: str, name: str) -> str:
    """Return the key of the list of files.

    :param name: the same for all plans of one run of a group, so that a newer list replaces the older one.
    """
    return f"{prefix}.oss-resume/{name}.jsonl"


def temporary_list() -> IO[bytes]:
    """Return a temporary file for the list."""
    return tempfile.NamedTemporaryFile("w+b", suffix=".jsonl")
