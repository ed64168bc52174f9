"""Numbers in requests."""

from __future__ import annotations

_MOST_DIGITS = 18  # fits a signed 64-bit integer


def whole(text: str) -> int | None:
    """Return the number that ASCII digits spell, None for any other text.

    ``str.isdigit`` alone also accepts superscripts.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
