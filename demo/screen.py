"""What the demo prints: a timeline, one moving progress line, a table."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}
_BAR = 28
_LABEL = 9


class Screen:
    """A timeline on standard output; colours and the progress line only if it is a terminal."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._colours = self._terminal and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        """Print the headline."""
        print(f"\n{self.paint(text, 'bold')}\n", flush=True)

    def event(self, label: str, text: str, colour: str = "cyan") -> None:
        """Print one line of the timeline."""
        self._clear_line()
        print(f"{self._clock()}  {self.paint(label.ljust(_LABEL), colour)}  {text}", flush=True)

    def progress(self, label: str, done: int, total: int, text: str) -> None:
        """Redraw the progress line; do nothing if the output is not a terminal."""
        if self._terminal:
            filled = _BAR * done // total
            bar = self.paint("█" * filled, "cyan") + self.paint("░" * (_BAR - filled), "dim")
            self._clear_line()
            print(f"{self._clock()}  {label.ljust(_LABEL)}  {bar}  {text}", end="", flush=True)

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns: numbers with their unit to the right, words to the left."""
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        print()
        for row in rows:
            cells = (_aligned(cell, width) for cell, width in zip(row, widths, strict=True))
            print("  " + "   ".join(cells).rstrip(), flush=True)

    def text(self, text: str = "") -> None:
        """Print a line as it is."""
        self._clear_line()
        print(text, flush=True)

    def paint(self, text: str, colour: str) -> str:
        """Return the text in a colour if the output is a terminal."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours else text

    def _clock(self) -> str:
        return self.paint(f"{time.monotonic() - self._started:6.1f} s", "dim")

    def _clear_line(self) -> None:
        if self._terminal:
            print("\r\x1b[2K", end="")


def _aligned(cell: str, width: int) -> str:
    return cell.rjust(width) if cell[:1].isdigit() else cell.ljust(width)
