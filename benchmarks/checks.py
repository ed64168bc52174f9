"""Limits of this package without a comparison: memory, checkpoint, resume, re-hash, parsing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import run
from benchmarks.sink import Settings
from benchmarks.stage import TestFiles, make_files, make_sparse_file
from benchmarks.work import GIB, KIB, MIB, Work

_PARTS = 10_000
_SMALL = 100 * KIB
_MISSING = 100


@dataclass(frozen=True, slots=True)
class Check:
    """Hold one limit and the value that was measured.

    :param limit: text for the report.
    """

    name: str
    value: float
    unit: str
    limit: str
    kept: bool


def at_most(name: str, value: float, unit: str, limit: float) -> Check:
    """Return the check of an upper limit."""
    return Check(name, value, unit, f"<= {limit:g} {unit}".strip(), value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Check:
    """Return the check of a lower limit."""
    return Check(name, value, unit, f">= {limit:g} {unit}".strip(), value >= limit)


def memory(folder: Path) -> Iterator[Check]:
    """Yield the peak of memory above that of the interpreter and its imports, for files and parts of several sizes."""
    shapes = (
        (make_files(folder, 80 * MIB, 8 * MIB), 8 * MIB, 4, "10 parts of 8 MiB"),
        (make_files(folder, 100 * MIB, 4 * MIB), 8 * MIB, 4, "100 MiB, 8 MiB parts"),
        (make_sparse_file(folder, 20 * GIB), 8 * MIB, 4, "20 GiB, 8 MiB parts"),
        (make_sparse_file(folder, 8 * GIB), GIB, 4, "8 GiB, 1 GiB parts"),
        (make_files(folder, _PARTS * _SMALL, _SMALL), _SMALL, 4, "10,000 parts of 100 KiB"),
        (make_sparse_file(folder, 4 * GIB), 8 * MIB, 32, "4 GiB, 8 MiB parts"),
    )
    for files, part_size, threads, name in shapes:
        sample = run(f"ours_fixed@{threads}", *_work(files, part_size, threads))
        mib = sample.used.memory / KIB
        yield at_most(f"peak memory, {name}, {threads} threads", mib, "MiB", 16 + 0.5 * threads)


def checkpoint(folder: Path) -> Iterator[Check]:
    """Yield bytes written and CPU time of the checkpoint of 10,000 parts, written up to ten times a second."""
    files = make_files(folder, _PARTS * _SMALL, _SMALL)
    sample = run("ours_checkpoint", *_work(files, _SMALL, options={"interval": 0.1}))
    reported = sample.reported
    constant = 256 * KIB + 2 * KIB
    growth = (reported["written"] - constant) / reported["last"]
    yield at_most(f"checkpoint bytes in {reported['writes']} writes, less 256 KiB, / its final size", growth, "x", 3.0)
    yield at_most("CPU time of the checkpoint / of the run", 100 * reported["cpu"] / sample.used.cpu, "%", 2.0)


def resume(folder: Path) -> Iterator[Check]:
    """Yield how soon an upload resumes if 9,900 of its 10,000 parts are in the bucket."""
    files = make_files(folder, _PARTS * _SMALL, _SMALL)
    work, settings = _work(files, _SMALL, options={"listed": _PARTS - _MISSING})
    settings.listed, settings.part_size = _PARTS - _MISSING, _SMALL
    samples = [run("ours_resume", work, settings) for _ in range(5)]
    first = statistics.median(one.seen["first_part_at"] - one.reported["started_at"] for one in samples)
    last = statistics.median(one.seen["last_part_at"] - one.reported["started_at"] for one in samples)
    end = statistics.median(one.reported["ended_at"] - one.reported["started_at"] for one in samples)
    yield at_most("resume of 10,000 parts: until the first missing part is sent", first, "s", 0.1)
    yield Check(f"resume: last missing part sent, of {end:.2f} s in all", last, "s", "before the end", last < end)


def small_requests(folder: Path) -> Iterator[Check]:
    """Yield the CPU time of a small part and of a small file, medians of five runs."""
    (folder / "files").mkdir()
    shapes = (
        ("ours", "part of 100 KiB", make_files(folder, 9_000 * _SMALL, _SMALL), 9_000, 0.25),
        ("ours_batch", "file of 64 KiB", make_files(folder / "files", 64 * KIB, 64 * KIB, 1_500), 1_500, 0.35),
    )
    for contender, name, files, count, limit in shapes:
        work, settings = _work(files, files.block)
        cpu = statistics.median(run(contender, work, settings).used.cpu for _ in range(5))
        yield at_most(f"CPU of a {name}", 1000 * cpu / count, "ms", limit)


def rehash(folder: Path) -> Iterator[Check]:
    """Yield the speed of re-hashing parts as a percentage of that of reading them, in one thread."""
    reported = run("rehash", *_work(make_files(folder, GIB, 8 * MIB), 8 * MIB)).reported
    for name, where in (("cold", "from the disk"), ("warm", "from the page cache")):
        percent = 100 * reported[name]
        speed = f"{reported[f'{name}_mib_s']:.0f} MiB/s"
        yield Check(f"speed of re-hashing {where} / of reading ({speed})", percent, "%", ">= 80 %", percent >= 80)


def parsing(_folder: Path) -> Iterator[Check]:
    """Yield the CPU time of importing the operator beyond that of importing BaseOperator."""
    samples = [run("parse", Work("", (), 0, 1, 0), Settings()) for _ in range(7)]
    # CPU time, not wall time: a busy machine does not change it.
    extra = statistics.median(one.used.cpu for one in samples)
    yield at_most("CPU time of parsing a DAG file, beyond that of BaseOperator", 1000 * extra, "ms", 30)


CheckMaker = Callable[[Path], Iterator[Check]]

QUICK: tuple[CheckMaker, ...] = (small_requests, parsing)
FULL: tuple[CheckMaker, ...] = (memory, checkpoint, resume, small_requests, rehash, parsing)


def _work(
    files: TestFiles, part_size: int, threads: int = 4, options: dict[str, float] | None = None
) -> tuple[Work, Settings]:
    work = Work("", tuple(map(str, files.paths)), files.size, part_size, threads, options=dict(options or {}))
    return work, files.settings()
