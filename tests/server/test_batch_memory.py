"""Memory of many files, measured as `make bench` measures it, with fewer of them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import run
from benchmarks.sink import Settings
from benchmarks.stage import make_empty_files
from benchmarks.work import KIB, MIB, Work

MOST = 64 * KIB  # KiB above the imports: the limit for 100,000 files


def test_names_are_not_held_in_memory() -> None:
    work = Work("", (), 0, MIB, 1, options={"names": 200_000})
    assert run("ours_names", work, Settings()).used.memory < MOST


def test_uploads_that_are_done_are_not_held_in_memory(tmp_path: Path) -> None:
    files = make_empty_files(tmp_path, 5_000)
    work = Work("", (str(files.paths[0]),), 0, MIB, 4, options={"count": len(files.paths)})
    assert run("ours_batch", work, files.settings()).used.memory < MOST
