"""Import the operator as a DAG file does, after BaseOperator is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from benchmarks.work import Work


def prepare(_work: Work) -> Callable[[], None]:
    importlib.import_module("airflow.sdk").BaseOperator  # noqa: B018 - it is loaded on first use

    def parse() -> None:
        importlib.import_module("airflow_provider_oss_resume.operators.upload")

    return parse
