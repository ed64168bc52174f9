"""What a DAG file that imports BaseOperator alone spends on it."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.work import Work


def prepare(_work: Work) -> Callable[[], None]:
    def parse() -> None:
        importlib.import_module("airflow.sdk").BaseOperator  # noqa: B018 - it is loaded on first use

    return parse
