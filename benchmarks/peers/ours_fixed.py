"""This package's engine with a fixed number of parts at once, to compare adaptive concurrency with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_oss_resume.transfer import concurrency
from benchmarks.peers import ours
from benchmarks.work import Work


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    concurrency.START = work.threads  # starts at its ceiling, so the number never changes
    return ours.prepare(work)
