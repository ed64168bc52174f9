"""Numbers as requests spell them."""

from __future__ import annotations

_MOST_DIGITS = 18  # fits a signed 64-bit integer; Python refuses to read thousands of digits


def whole(text: str) -> int | None:
    """Return a number of plain ASCII digits, None for anything else: ``str.isdigit`` also takes a superscript."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
