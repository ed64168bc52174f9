"""This package's engine, many files by one call, twice: the second call finds all of them in the bucket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.ours_batch import make_upload
from benchmarks.work import Work


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    upload, count = make_upload(work), work.options["count"]

    def twice() -> dict[str, Any]:
        started = time.perf_counter()
        first = upload().counts
        between = time.perf_counter()
        second = upload().counts
        if (first.sent, second.skipped) != (count, count):
            raise RuntimeError(f"of {count} files the first run sent {first.sent}, the second skipped {second.skipped}")
        return {"first": between - started, "second": time.perf_counter() - between}

    return twice
