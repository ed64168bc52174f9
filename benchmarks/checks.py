"""What this package promises by itself: memory, checkpoint, resume, re-hash, parsing."""

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
    """Hold one promise and how it was kept.

    :param limit: as a person reads it.
    """

    name: str
    value: float
    unit: str
    limit: str
    kept: bool


def _most(name: str, value: float, unit: str, limit: float) -> Check:
    return Check(name, value, unit, f"<= {limit:g} {unit}".strip(), value <= limit)


def memory(folder: Path) -> Iterator[Check]:
    """Yield the peak of memory above the interpreter with its imports, for works of all shapes."""
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
        yield _most(f"peak memory, {name}, {threads} threads", mib, "MiB", 16 + 0.5 * threads)


def checkpoint(folder: Path) -> Iterator[Check]:
    """Yield what the checkpoint of 10,000 parts costs when it may be written ten times a second."""
    files = make_files(folder, _PARTS * _SMALL, _SMALL)
    sample = run("ours_checkpoint", *_work(files, _SMALL, options={"interval": 0.1}))
    told = sample.told
    constant = 256 * KIB + 2 * KIB
    growth = (told["written"] - constant) / told["last"]
    yield _most(f"checkpoint bytes in {told['writes']} writes, less 256 KiB, of its final size", growth, "x", 3.0)
    yield _most("checkpoint CPU of the run's", 100 * told["cpu"] / sample.used.cpu, "%", 2.0)


def resume(folder: Path) -> Iterator[Check]:
    """Yield how soon an upload goes on of which 9,900 of 10,000 parts are in the bucket."""
    files = make_files(folder, _PARTS * _SMALL, _SMALL)
    work, settings = _work(files, _SMALL, options={"listed": _PARTS - _MISSING})
    settings.listed, settings.part_size = _PARTS - _MISSING, _SMALL
    samples = [run("ours_resume", work, settings) for _ in range(5)]
    first = statistics.median(one.seen["first_part_at"] - one.told["started_at"] for one in samples)
    last = statistics.median(one.seen["last_part_at"] - one.told["started_at"] for one in samples)
    end = statistics.median(one.told["ended_at"] - one.told["started_at"] for one in samples)
    yield _most("resume of 10,000 parts: first missing part on the wire", first, "s", 1.5)
    yield Check(f"resume: last missing part sent, of {end:.2f} s in all", last, "s", "before the end", last < end)


def rehash(folder: Path) -> Iterator[Check]:
    """Yield the speed of proving parts in terms of that of reading them, in one thread."""
    told = run("rehash", *_work(make_files(folder, GIB, 8 * MIB), 8 * MIB)).told
    for name, where in (("cold", "from the disk"), ("warm", "from the page cache")):
        percent = 100 * told[name]
        speed = f"{told[f'{name}_mib_s']:.0f} MiB/s"
        yield Check(f"re-hash {where}, of reading's {speed}", percent, "%", ">= 80 %", percent >= 80)


def parsing(_folder: Path) -> Iterator[Check]:
    """Yield what importing the operator costs a DAG file above importing BaseOperator."""
    samples = [run("parse", Work("", (), 0, 1, 0), Settings({})) for _ in range(7)]
    # CPU, because imports hardly wait for anything else, and a busy machine does not stretch it.
    extra = statistics.median(one.used.cpu for one in samples)
    yield _most("CPU of parsing a DAG file, above BaseOperator's", 1000 * extra, "ms", 30)


CheckMaker = Callable[[Path], Iterator[Check]]

QUICK: tuple[CheckMaker, ...] = (parsing,)
FULL: tuple[CheckMaker, ...] = (memory, checkpoint, resume, rehash, parsing)


def _work(
    files: TestFiles, part_size: int, threads: int = 4, options: dict[str, float] | None = None
) -> tuple[Work, Settings]:
    work = Work("", tuple(map(str, files.paths)), files.size, part_size, threads, options=dict(options or {}))
    lengths = {length for _, length in work.parts}
    return work, Settings(files.checksums(lengths))
