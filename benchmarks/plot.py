"""A picture of the rows: time and CPU of each contender as multiples of ours."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import LABELS
from benchmarks.measure import ratio
from benchmarks.report import Result

_COLOURS = {"wall": "#3b6ea5", "cpu": "#d98032"}


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture. Print a note instead if matplotlib is missing; only ``make bench`` installs it."""
    try:
        matplotlib: Any = importlib.import_module("matplotlib")
    except ImportError:
        print("no picture: matplotlib is not installed")
        return
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = pyplot.subplots(
        len(results), 1, figsize=(9, 1 + 2.2 * len(results)), squeeze=False, layout="constrained"
    )
    for axis, result in zip(axes[:, 0], results, strict=True):
        _draw_row(axis, result)
    figure.savefig(path, dpi=110)


def _draw_row(axis: Any, result: Result) -> None:
    names = result.contenders
    for place, metric in enumerate(("wall", "cpu")):
        values = [ratio(result.rounds, name, names[0], metric) for name in names]
        bars = axis.barh(
            [index + 0.4 * place for index in range(len(names))], values, 0.38, color=_COLOURS[metric], label=metric
        )
        axis.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axis.set_yticks([index + 0.2 for index in range(len(names))], [LABELS[name] for name in names])
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_title(f"{result.row.name}: times this package's", fontsize=10, loc="left")
    axis.legend(fontsize=8, loc="lower right")
