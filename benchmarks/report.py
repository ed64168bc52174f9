"""The results as Markdown tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.checks import Check
from benchmarks.contenders import LABELS
from benchmarks.measure import Round, median, ratio
from benchmarks.rows import Row, Target


@dataclass(frozen=True, slots=True)
class Result:
    """Hold a row and its rounds."""

    row: Row
    rounds: Sequence[Round]

    @property
    def contenders(self) -> list[str]:
        """Return the contenders that ran, in the row's order."""
        return [contender for contender in self.row.contenders if contender in self.rounds[0]]

    @property
    def missing(self) -> list[str]:
        """Return the contenders that are not installed."""
        return [contender for contender in self.row.contenders if contender not in self.rounds[0]]

    def verdicts(self) -> Iterator[tuple[Target, float]]:
        """Yield each target whose contender ran, with the measured ratio."""
        ours = self.row.contenders[0]
        for target in self.row.targets:
            if target.against in self.contenders:
                yield target, ratio(self.rounds, ours, target.against, target.metric)


def table(result: Result) -> str:
    """Return one row's measurements and targets as Markdown."""
    lines = [
        "| contender | wall s | CPU s | memory MiB | process wall s | process CPU s |",
        "|---|---|---|---|---|---|",
        *(_measurements(result, contender) for contender in result.contenders),
        *(f"| {LABELS[contender]} | not installed | | | | |" for contender in result.missing),
        "",
        "| target | limit | reached | |",
        "|---|---|---|---|",
        *(_verdict(target, reached) for target, reached in result.verdicts()),
    ]
    return "\n".join(lines)


def _measurements(result: Result, contender: str) -> str:
    used = [median(result.rounds, contender, metric) for metric in ("wall", "cpu", "memory")]
    whole = [median(result.rounds, contender, metric, "whole") for metric in ("wall", "cpu")]
    numbers = [f"{used[0]:.2f}", f"{used[1]:.2f}", f"{used[2] / 1024:.0f}", *(f"{value:.2f}" for value in whole)]
    return f"| {LABELS[contender]} | {' | '.join(numbers)} |"


def _verdict(target: Target, reached: float) -> str:
    name = f"{'CPU' if target.metric == 'cpu' else 'wall'} time / {LABELS[target.against]}"
    return f"| {name} | <= {target.limit:.3g} | {reached:.3g} | {_word(reached <= target.limit)} |"


def line(check: Check) -> str:
    """Return a check as one line of text."""
    return f"{check.name}: {check.value:.3g} {check.unit} ({check.limit}) {_word(check.kept)}"


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"


def page(results: Sequence[Result], found: Sequence[Check]) -> str:
    """Return everything as one Markdown page."""
    parts = [f"Measured {datetime.now(timezone.utc).date().isoformat()} on {machine()}."]
    parts += [f"## {one.row.name}\n\nMedians of {len(one.rounds)} rounds.\n\n{table(one)}" for one in results]
    if found:
        rows = [f"| {c.name} | {c.limit} | {c.value:.3g} {c.unit} | {_word(c.kept)} |" for c in found]
        parts.append(
            "\n".join(["## This package by itself\n", "| promise | limit | reached | |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


def summary(results: Sequence[Result], found: Sequence[Check]) -> str:
    """Return how many targets were met, and the names of the others."""
    verdicts, misses = _verdicts(results, found), missed(results, found)
    return "\n".join([f"\n{len(verdicts) - len(misses)} of {len(verdicts)} targets kept", *misses])


def missed(results: Sequence[Result], found: Sequence[Check]) -> list[str]:
    """Return the names of the targets that were not met."""
    return [name for name, kept in _verdicts(results, found) if not kept]


def _verdicts(results: Sequence[Result], found: Sequence[Check]) -> list[tuple[str, bool]]:
    verdicts = [(f"{r.row.name}: {_verdict(t, v)}", v <= t.limit) for r in results for t, v in r.verdicts()]
    return verdicts + [(line(check), check.kept) for check in found]


def machine() -> str:
    """Return a description of this machine."""
    found = [text for text in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in text]
    name = found[0].partition(":")[2].strip() if found else platform.machine()
    kernel = platform.release().partition("-")[0]
    return f"{os.cpu_count()} cores of {name}, Linux {kernel}, Python {platform.python_version()}"
