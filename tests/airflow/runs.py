"""Runs of the DAGs in `dags/`, and what they leave in Airflow's tables."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from airflow_provider_oss_resume.operators.links import OSSObjectLink
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow.conftest import DAGS


def load_dag(file: str, dag_id: str = "") -> Any:
    """Import a DAG file anew and return its DAG."""
    spec = spec_from_file_location(file, DAGS / f"{file}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {one.dag_id: one for one in vars(module).values() if hasattr(one, "task_dict")}
    return found[dag_id or next(iter(found))]


def left_behind(airflow: AirflowStack) -> list[str]:
    """Return what stores keep that was not removed: Variables, XComs and task states of ours."""
    found = [f"variable {key}" for (key,) in airflow.query("select key from variable where key like 'oss_resume%'")]
    xcoms = airflow.query("select key from xcom where key like 'oss_resume%' and key != ?", OSSObjectLink.xcom_key)
    found += [f"xcom {key}" for (key,) in xcoms]
    if AIRFLOW_3:
        states = airflow.query("select key, task_id from task_state_store where key like 'oss_resume%'")
        found += [f"task state {key} of {task}" for key, task in states]
    return found


def forget(airflow: AirflowStack) -> None:
    """Remove what an upload left that was not meant to be finished."""
    tables = ("variable", "xcom", *(["task_state_store"] if AIRFLOW_3 else []))
    for table in tables:
        airflow.execute(f"delete from {table} where key like 'oss_resume%'")
