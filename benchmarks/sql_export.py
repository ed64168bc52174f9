"""Exports of a real PostgreSQL against COPY itself: ``make bench-export``, or ``python -m benchmarks.sql_export ROWS``.

Each contender runs in a process of its own and throws its output away. Speed is a ratio to ``COPY ... TO STDOUT``
through psycopg2 in the same round.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import psycopg2

from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.export import (
    CursorRows,
    Exporter,
    ExportRequest,
    Limits,
    Output,
    PostgresCopy,
    Query,
    keep_memory_flat,
)
from airflow_provider_oss_resume.export.cutter import FIRST_PART_SIZE
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Owner
from benchmarks.checks import Check, at_least, at_most
from benchmarks.client_of_nothing import ClientOfNothing
from benchmarks.report import line
from tests.airflow.s3 import BUCKET as S3_BUCKET
from tests.airflow.s3 import S3Server
from tests.export.postgres import DRIVERS, Postgres, running_postgres

ROWS = 1_000_000
LARGE = 10_000_000
CHECK_ROUNDS = 3
PEER = "SqlToS3Operator"
RESUME = "resume"
BYTES_A_ROW = 146
PEER_ROWS = 200_000  # it holds all rows in memory, a million in 1.7 GB
SQL = os.environ.get("BENCH_SQL", "SELECT * FROM wide")
TABLE = """
CREATE UNLOGGED TABLE wide AS SELECT i::bigint AS id, i % 100 AS a, i % 1000 AS b, (i * 1.1)::numeric(12,2) AS amount,
  md5(i::text) AS note, timestamptz '2024-01-01' + i * interval '1 second' AS placed, i % 2 = 0 AS flag,
  CASE WHEN i % 5 = 0 THEN NULL ELSE i END AS maybe, i / 7.0::float8 AS ratio, jsonb_build_object('k', i % 50) AS extra
FROM generate_series(1, {rows}) AS i
"""
TARGETS = {
    "csv": (0.75, 250),
    "csv zstd-1": (0.75, 250),
    "csv psycopg3": (0.0, 250),
    "jsonl": (0.40, 250),
    "parquet": (0.60, 550),
    "cursor csv": (0.10, 250),
}
"""Least ratio to COPY, and most MB of memory."""

FLAT = ("csv", "csv zstd-1", "csv psycopg3", "jsonl", "cursor csv")
"""Whose memory a million rows fill: row groups of Parquet are too large for that."""

WITH_PYARROW = ("jsonl", "parquet")


def copy(uri: str) -> None:
    class Sink:
        def write(self, data: bytes) -> None:
            pass

    with psycopg2.connect(uri) as connection, connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({SQL} ORDER BY id) TO STDOUT (FORMAT csv)", Sink())


def export(output: Output, driver: str = "psycopg2", *, cursor: bool = False) -> Callable[[str], None]:
    def run(uri: str) -> None:
        query = Query(SQL, order_by=("id",))
        connect = DRIVERS[driver]
        source: Any = (
            CursorRows(lambda: connect(uri), query, output.row_format)
            if cursor
            else PostgresCopy(connect(uri), query, output.copy_format)
        )
        request = ExportRequest("examplebucket", "wide", output, query.order_by, Limits(output.part_size))
        Exporter(cast("OSSClient", ClientOfNothing())).export(source, request)

    return run


def resume(uri: str) -> float:
    """Stop an export at its half, resume it, and return the seconds from then until the first new part is sent."""
    client, store, half = ClientOfNothing(), MemoryStore(), ROWS * BYTES_A_ROW // FIRST_PART_SIZE // 2
    query, output = Query(SQL, order_by=("id",)), Output()
    request = ExportRequest("examplebucket", "wide", output, query.order_by)

    def attempt(number: int, most_parts: int) -> None:
        def stop() -> None:
            if len(client.parts) >= most_parts:
                raise UploadCancelled("half of it is sent")

        exporter = Exporter(cast("OSSClient", client), store, owner=Owner(try_number=number), watch=stop)
        with contextlib.suppress(UploadCancelled):
            exporter.export(PostgresCopy(psycopg2.connect(uri), query, output.copy_format), request)

    attempt(1, half)
    before = set(client.parts)
    started = time.monotonic()
    attempt(2, len(before) + 1)
    return min(at for number, at in client.began_at.items() if number not in before) - started


def peer() -> float:
    """Export a part of the table by SqlToS3Operator, and return the seconds without imports."""
    from airflow.providers.amazon.aws.transfers.sql_to_s3 import SqlToS3Operator

    task = SqlToS3Operator(
        task_id="peer",
        query=f"{SQL} WHERE id <= {PEER_ROWS} ORDER BY id",
        sql_conn_id="peer_sql",
        aws_conn_id="peer_s3",
        s3_bucket=S3_BUCKET,
        s3_key="wide.csv",
        replace=True,
        pd_kwargs={"index": False},
    )
    started = time.monotonic()
    task.execute({})
    return time.monotonic() - started


CONTENDERS: dict[str, Callable[[str], None]] = {
    "copy": copy,
    "csv": export(Output()),
    "csv zstd-1": export(Output(compression="zstd", compression_level=1)),
    "csv psycopg3": export(Output(), "psycopg"),
    "jsonl": export(Output("jsonl")),
    "parquet": export(Output("parquet", "zstd")),
    "cursor csv": export(Output(), cursor=True),
}


def timed(contender: Callable[[str], None], uri: str) -> float:
    started = time.monotonic()
    contender(uri)
    return time.monotonic() - started


def child(name: str, uri: str) -> None:
    """Run one contender and print its seconds without imports, and its peak memory in MB."""
    if name in WITH_PYARROW:
        import pyarrow.compute
        import pyarrow.parquet  # noqa: F401
    keep_memory_flat(with_pyarrow=name in WITH_PYARROW)  # as the operator does
    seconds = peer() if name == PEER else resume(uri) if name == RESUME else timed(CONTENDERS[name], uri)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps([seconds, int(peak.split()[1]) / 1000]))


def measure(name: str, uri: str, settings: Mapping[str, str] | None = None) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sql_export", "child", name, uri],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **(settings or {})},
    )
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def exports(folder: Path) -> Iterator[Check]:
    """Yield speed of a million rows, as a ratio to COPY's, peak memory, and how soon a resume sends."""
    with table_of(ROWS) as postgres, closing(S3Server(folder / "s3.log")) as s3:
        yield from of_table(postgres.uri, ROWS, CHECK_ROUNDS)
        _, seconds, _ = against_copy("cursor csv", postgres.uri, 1)
        theirs, memory = measure(PEER, postgres.uri, peer_settings(postgres, s3, folder))
        speed = PEER_ROWS / theirs
        name = f"cursor csv, speed / {PEER} ({speed:,.0f} rows/s and {memory:,.0f} MB for {PEER_ROWS:,} rows)"
        yield at_least(name, ROWS / seconds / speed, "x", 2)


def large_exports(_folder: Path) -> Iterator[Check]:
    """Yield the same of ten million rows, and that memory does not grow with them."""
    with table_of(LARGE) as postgres:
        yield from of_table(postgres.uri, LARGE, 1)


@contextlib.contextmanager
def table_of(rows: int) -> Iterator[Postgres]:
    """Start a server with the table of that many rows."""
    with running_postgres() as postgres:
        postgres.run(TABLE.format(rows=rows), "ALTER TABLE wide ADD PRIMARY KEY (id)", "VACUUM ANALYZE wide")
        yield postgres


def of_table(uri: str, rows: int, rounds: int) -> Iterator[Check]:
    """Yield what is promised of the export of a table; more than a million rows also need no more memory."""
    for name, (least, most) in TARGETS.items():
        ratio, seconds, memory = against_copy(name, uri, rounds)
        what = f"export of {rows:,} rows, {name}"
        if least:
            yield at_least(f"{what}, {rows / seconds:,.0f} rows/s, speed / COPY", ratio, "x", least)
        yield at_most(f"{what}, peak memory", memory, "MB", most)
        if rows > ROWS and name in FLAT:
            _, before = measure(name, uri, {"BENCH_SQL": f"{SQL} WHERE id <= {ROWS}"})
            yield at_most(f"{what}, peak memory / {before:.0f} MB of {ROWS:,} rows", memory / before, "x", 1.15)
    seconds = statistics.median(measure(RESUME, uri)[0] for _ in range(rounds))
    yield at_most(
        f"export of {rows:,} rows, resume at {ROWS // 2:,}: until the first new part is sent", seconds, "s", 1.5
    )


def against_copy(name: str, uri: str, rounds: int) -> tuple[float, float, float]:
    """Return medians: how fast a contender is as a ratio to a COPY right before it, its seconds, its peak memory."""
    samples = []
    for _ in range(rounds):
        base, _memory = measure("copy", uri)
        seconds, memory = measure(name, uri)
        samples.append((base / seconds, seconds, memory))
    ratio, seconds, memory = (statistics.median(column) for column in zip(*samples, strict=True))
    return ratio, seconds, memory


def peer_settings(postgres: Postgres, s3: S3Server, folder: Path) -> dict[str, str]:
    with closing(postgres.connect()) as opened:
        place = opened.get_dsn_parameters()
    sql = {"conn_type": "postgres", "host": place["host"], "port": int(place["port"]), "login": place["user"]}
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONN_PEER_SQL": json.dumps({**sql, "schema": place["dbname"]}),
        "AIRFLOW_CONN_PEER_S3": s3.connection,
    }


def main() -> int:
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:4])
        return 0
    rows, missed = int(sys.argv[1]) if sys.argv[1:] else ROWS, 0
    with table_of(rows) as postgres:
        for check in of_table(postgres.uri, rows, 1):
            print(line(check), flush=True)
            missed += not check.kept
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
