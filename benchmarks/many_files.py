"""Limits of this package for many files: a second run, memory, reading S3, copies inside OSS."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.upload import CopyRequest, Uploader, UploadRequest
from benchmarks.checks import Check, CheckMaker, at_most
from benchmarks.measure import paired, ratio, run
from benchmarks.s3 import running_s3
from benchmarks.sink import Settings
from benchmarks.stage import TestFiles, make_empty_files, make_files, make_sparse_file
from benchmarks.work import BUCKET, GIB, KIB, MIB, Work

_ROUNDS = 3
_OBJECTS = 64
_DELAY = 0.005
"""Seconds; a PutObject within a region takes longer."""


def second_run(folder: Path) -> Iterator[Check]:
    """Yield how long a run takes whose 10,000 files are in place and equal, of the run that sent them.

    The second run reads all files and sends almost no request, so the ratio tells nothing about a sink that answers
    faster than any server: this one takes a few milliseconds.
    """
    files = make_files(folder, 64 * KIB, 64 * KIB, 10_000)
    reported = [run("ours_rerun", _directory(files), files.settings(delay=_DELAY)).reported for _ in range(_ROUNDS)]
    first, second = (statistics.median(one[name] for one in reported) for name in ("first", "second"))
    share = statistics.median(one["second"] / one["first"] for one in reported)
    yield at_most(f"second run of 10,000 equal files ({second:.2f} s) / first run ({first:.2f} s)", share, "x", 0.2)


def memory_of_many(folder: Path) -> Iterator[Check]:
    """Yield the peak of memory above the imports for 100,000 files, and for a million names."""
    files = make_empty_files(folder, 100_000)
    used = run("ours_batch", _directory(files), files.settings()).used
    yield at_most(f"peak memory, 100,000 files in {used.wall:.0f} s", used.memory / KIB, "MiB", 64)
    used = run("ours_names", Work("", (), 0, 1, 1, options={"names": 1_000_000}), Settings()).used
    yield at_most(f"peak memory, 1,000,000 names listed in {used.wall:.0f} s", used.memory / KIB, "MiB", 64)


def s3_source(folder: Path) -> Iterator[Check]:
    """Yield the wall time of 2 GiB from S3 to the sink, of reading them with the same client into nothing."""
    files = make_files(folder, 2 * GIB // _OBJECTS, 8 * MIB)
    with running_s3(files.paths[0], _OBJECTS) as url:
        work = Work("", (url,), files.size, 8 * MIB, 4, options={"count": _OBJECTS})
        samples = paired(("ours_s3", "s3_read"), work, files.settings(), _ROUNDS, _print)
    share = ratio(samples, "ours_s3", "s3_read", "wall")
    yield at_most("2 GiB from S3 (moto) / time to read them with s3fs", share, "x", 1.3)


def copy_inside(folder: Path) -> Iterator[Check]:
    """Yield how many bytes of a 2 GiB object pass the client while it is copied, as the dev server counts them."""
    path = make_sparse_file(folder, 2 * GIB).paths[0]
    with DevServer(folder / "oss", buckets=(BUCKET,)) as server:
        keys = Credentials(server.access_key_id, server.access_key_secret)
        with OSSClient(server.url, keys, server.region) as client:
            Uploader(client).upload(UploadRequest(str(path), BUCKET, "from.bin"))
            server.clear_requests()
            result = Uploader(client).copy(CopyRequest(f"oss://{BUCKET}/from.bin", BUCKET, "to.bin"))
        requests = server.requests()
    sent = sum(one.body_bytes for one in requests if one.operation != "CompleteMultipartUpload")
    read = sum(2 * GIB for one in requests if one.operation == "GetObject")
    yield at_most(f"bytes that pass the client, 2 GiB copied in {result.duration_s:.1f} s", sent + read, "bytes", 0)


def _print(line: str) -> None:
    print(line, file=sys.stderr)


FULL: tuple[CheckMaker, ...] = (second_run, memory_of_many, s3_source, copy_inside)


def _directory(files: TestFiles) -> Work:
    """Return the work of a whole directory; a command line has no room for all its names."""
    return Work("", (str(files.paths[0]),), files.size, 8 * MIB, 4, options={"count": len(files.paths)})
