"""What a DAG file that imports the operator spends on it, after one that imports BaseOperator alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.work import Work


def prepare(_work: Work) -> Callable[[], None]:
    importlib.import_module("airflow.sdk").BaseOperator  # noqa: B018 - it is loaded on first use

    def parse() -> None:
        importlib.import_module("airflow_provider_oss_resume.operators.upload")

    return parse
