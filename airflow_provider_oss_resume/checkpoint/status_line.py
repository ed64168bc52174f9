"""The line for people in the text of a checkpoint.

Airflow shows the text in its UI, for example on the tab of the task state store. No program reads the line.
"""

from __future__ import annotations

from datetime import datetime, timezone

_MIB = 1024 * 1024


def status_line(parts: int, bytes_done: int, size: int, started_at: float, try_number: int) -> str:
    """Return how far an upload is, and since when it runs.

    :param parts: number of parts that the bucket holds.
    :param bytes_done: bytes of these parts.
    :param size: bytes of the source; 0 if unknown.
    :param started_at: epoch seconds of Initiate.
    :param try_number: of the try that writes the checkpoint.
    """
    return f"{_share(bytes_done, size)}, parts in the bucket: {parts}, {_since(started_at)}, try {try_number}"


def _share(bytes_done: int, size: int) -> str:
    if size <= 0:
        return f"{_mebibytes(bytes_done)} uploaded"
    permille = 1000 * bytes_done // size
    return f"{permille // 10}.{permille % 10} % of {_mebibytes(size)} uploaded"


def _mebibytes(count: int) -> str:
    tenths = 10 * count // _MIB  # integers: a damaged size may be too large for a float
    return f"{tenths // 10}.{tenths % 10} MiB"


def _since(started_at: float) -> str:
    try:
        began = datetime.fromtimestamp(started_at, timezone.utc)
    except (ValueError, OverflowError, OSError):  # from a damaged checkpoint whose hash is right
        return "start unknown"
    return f"started {began:%Y-%m-%d %H:%M} UTC"
