"""What a DAG file that imports the operator spends on it."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.work import Work


def prepare(_work: Work) -> Callable[[], None]:
    def parse() -> None:
        importlib.import_module("airflow_provider_oss_resume.operators.upload")

    return parse
