"""Every example is read by Airflow's own DAG reader: no error, no warning, and cheap to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "example_dags"
# What a DAG file must not pay for each time it is parsed; some of it Airflow brings anyway, and then it is free.
HEAVY = {"cryptography", "fastcrc", "requests", "starlette", "tenacity", "uvicorn"}


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.dag_folder", str(EXAMPLES)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_no_import_errors(read: dict[str, Any]) -> None:
    assert read["errors"] == {}


def test_no_warnings(read: dict[str, Any]) -> None:
    assert read["warnings"] == {}


def test_each_file_holds_the_dag_it_is_named_after(read: dict[str, Any]) -> None:
    assert read["dags"] == {str(path): path.stem for path in EXAMPLES.glob("*.py")}


def test_each_dag_is_found_by_its_tags(read: dict[str, Any]) -> None:
    assert all({"example", "oss"} <= set(tags) for tags in read["tags"].values())


def test_importing_the_operator_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, DAG, Variable, task\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_oss_resume.operators.upload\n"
        "print('loaded', *sorted({name.partition('.')[0] for name in set(sys.modules) - before}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "airflow_provider_oss_resume" in loaded
    assert loaded & HEAVY == set()
