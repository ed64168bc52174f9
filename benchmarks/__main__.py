"""Measure, print a table, and write it as Markdown and as a picture to ``.bench/``.

The exit code is 1 if a target was missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import checks, many_files, report, rows, sql_export
from benchmarks.contenders import available
from benchmarks.measure import Round, paired
from benchmarks.plot import draw
from benchmarks.work import Work

_ALL_CHECKS = (*checks.FULL, *many_files.FULL, sql_export.exports, sql_export.large_exports)
_QUICK_CHECKS = (*checks.QUICK, sql_export.exports)


def main() -> int:
    arguments = _parser().parse_args()
    chosen_rows, chosen_checks = (rows.FULL, _ALL_CHECKS) if arguments.full else (rows.QUICK, _QUICK_CHECKS)
    results: list[report.Result] = []
    for row in chosen_rows:
        if _wanted(row.name, arguments.only):
            results.append(report.Result(row, _measure(row, arguments.rounds)))
            print(report.table(results[-1]), flush=True)
    found = list(_check(maker for maker in chosen_checks if _wanted(maker.__name__, arguments.only)))
    text = report.page(results, found)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "latest.md").write_text(text, encoding="utf-8")
    if results:
        draw(results, arguments.out / "latest.png")
    print(report.summary(results, found), f"\nwritten to {arguments.out}/latest.md and .png")
    return int(bool(report.missed(results, found)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all rows, which takes half an hour")
    parser.add_argument("--rounds", type=int, default=5, help="paired runs of each row (default 5)")
    parser.add_argument("--only", default="", help="only rows and checks whose name contains this")
    parser.add_argument("--out", type=Path, default=Path(".bench"), help="folder for the results (default .bench)")
    return parser


def _wanted(name: str, only: str) -> bool:
    return only.lower() in name.lower()


def _measure(row: rows.Row, rounds: int) -> list[Round]:
    print(f"\n{row.name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="oss-bench-", dir=_disk()) as name:
        folder = Path(name)
        files, certificate = row.make_files(folder), row.make_certificate(folder)
        paths = tuple(map(str, files.paths))
        work = Work("", paths, row.size, row.part_size, row.threads, certificate=certificate)
        settings = files.settings(certificate, **asdict(row.way))
        contenders = [contender for contender in row.contenders if available(contender)]
        return paired(contenders, work, settings, row.rounds or rounds, lambda line: print(line, file=sys.stderr))


def _check(makers: Iterable[checks.CheckMaker]) -> Iterator[checks.Check]:
    for maker in makers:
        print(f"\n{maker.__name__}", flush=True)
        with tempfile.TemporaryDirectory(prefix="oss-bench-", dir=_disk()) as name:
            for check in maker(Path(name)):
                print(f"    {report.line(check)}", flush=True)
                yield check


def _disk() -> str:
    """Return a folder for gigabytes: /var/tmp, since /tmp may be in memory, where no page is ever cold."""
    return "/var/tmp"


if __name__ == "__main__":
    sys.exit(main())
