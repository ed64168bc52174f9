"""The differences between Airflow 2.11 and 3 in settings, processes and tables."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import secrets
from typing import Any

AIRFLOW_VERSION = importlib.metadata.version("apache-airflow")
AIRFLOW_3 = int(AIRFLOW_VERSION.partition(".")[0]) >= 3

# Airflow's defaults suit a cluster. Here one task runs, and short intervals make the demo and the tests fast.
_QUICK = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": "1",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}

_QUICK_2 = {
    "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",  # LocalExecutor on sqlite, with one task at a time
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    # The zombie scan finds a task killed by SIGKILL, and a DAG processor sets it up for retry.
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__STANDALONE_DAG_PROCESSOR": "False",
}

_QUICK_3 = {
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # The first task may start before the API server listens: ask again soon instead of backing off.
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "60",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.2",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "0.5",
}


def settings(port: int) -> dict[str, str]:
    """Return the environment that makes this Airflow quick on a small machine."""
    # Without a fixed key, processes that start together race: one writes a new key to airflow.cfg while another reads
    # the file, still empty. That one cannot decrypt connections and reports them as "not found".
    always = _QUICK | {"AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}
    if not AIRFLOW_3:
        return always | _QUICK_2
    address = f"http://127.0.0.1:{port}"
    return (
        always
        | _QUICK_3
        | {
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        }
    )


def services(port: int, *, ui: bool) -> dict[str, list[str]]:
    """Return the `airflow` commands that make up the stack.

    :param ui: with the web interface and a DAG processor; else only what runs tasks of serialized DAGs.
    """
    scheduler = {"scheduler": ["scheduler", "--skip-serve-logs"]}
    if not AIRFLOW_3:
        return scheduler
    api_server = ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    if not ui:
        return {"api-server": [*api_server, "--apps", "execution"], **scheduler}
    return {"api-server": api_server, "dag-processor": ["dag-processor"], **scheduler}


def xcom_value(raw: str | bytes) -> Any:
    """Decode a value of the xcom table: bytes of JSON in Airflow 2, a JSON string in Airflow 3."""
    return json.loads(raw)
