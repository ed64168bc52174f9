"""The example DAGs of waiting, cleaning up, assets, @task.oss_upload and the hook: run whole, in real tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import REPOSITORY, AirflowStack
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.test_many_files import stored

EXAMPLES = REPOSITORY / "example_dags"
PREFIX = f"oss://{bucket.NAME}/"


@pytest.fixture
def run(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Any:
    """Run an example with other parameters, and return how its tasks ended."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(EXAMPLES))
    monkeypatch.setattr("airflow.settings.DAGS_FOLDER", str(EXAMPLES))

    def run_example(name: str, **params: str) -> list[str]:
        return Cases(forked, oss, capfd, EXAMPLES / f"{name}.py").run_conf("dag", params).states

    return run_example


def put(oss: DevServer, key: str, body: bytes) -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, key, body)


def test_wait_and_download(run: Any, oss: DevServer, tmp_path: Path) -> None:
    put(oss, "examples/wait.bin", b"waited for")
    states = run("example_wait_and_download", key=PREFIX + "examples/wait.bin", path=f"{tmp_path}/")
    assert states == ["success", "success"]
    assert (tmp_path / "wait.bin").read_bytes() == b"waited for"


def test_house_keeping(run: Any, oss: DevServer) -> None:
    put(oss, "examples/reports/report.csv", b"a")
    put(oss, "examples/reports/old.csv", b"b")
    assert run("example_house_keeping", prefix=PREFIX + "examples/reports/") == ["success"] * 3
    assert stored(oss, "examples/reports/") == {}
    assert stored(oss, "examples/archive/") == {"report.csv": b"a"}


def test_asset_producer(run: Any, oss: DevServer, tmp_path: Path) -> None:
    (tmp_path / "orders").write_bytes(b"orders")
    assert run("example_asset_producer", source=str(tmp_path / "orders")) == ["success"]
    assert stored(oss, "assets/") == {"orders.parquet": b"orders"}


def test_asset_consumer(run: Any) -> None:
    """tests/airflow/test_lineage.py has the scheduler that starts such a DAG; run by hand there is no event."""
    assert run("example_asset_consumer") == ["success"]


def test_task_upload(run: Any, oss: DevServer, tmp_path: Path) -> None:
    assert run("example_task_upload", folder=str(tmp_path), key=PREFIX + "examples/task/") == ["success"]
    [(key, body)] = stored(oss, "examples/task/").items()
    assert key.endswith("/report.csv")
    assert body == (tmp_path / "report.csv").read_bytes()


def test_hook(run: Any, oss: DevServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"by the hook")
    assert run("example_hook", source=str(tmp_path / "a.bin"), prefix=PREFIX + "examples/hook/") == ["success"]
    assert stored(oss, "examples/hook/") == {"a.bin": b"by the hook"}
