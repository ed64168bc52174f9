"""This package's engine with a fixed number of parts at once, to compare the number found by itself with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_oss_resume.upload import concurrency
from benchmarks.peers import ours
from benchmarks.work import Work


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    concurrency.START = work.threads  # begins at its ceiling, so there is nothing to try
    return ours.prepare(work)
