"""Numbers of bytes and durations for people."""

from __future__ import annotations


def human_size(count: float) -> str:
    """Return a number of bytes in a readable unit, such as ``296 MiB``."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while abs(count) >= 1024 and len(units) > 1:
        count /= 1024
        units.pop(0)
    if count == 1 and units[0] == "bytes":
        return "1 byte"
    return f"{count:.0f} {units[0]}" if count >= 100 or units[0] == "bytes" else f"{count:.3g} {units[0]}"


def human_time(seconds: float) -> str:
    """Return a duration in readable units, such as ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
