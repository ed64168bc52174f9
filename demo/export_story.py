"""The steps of the export's demo: SIGKILL ends a nightly export, and the retry reads only the missing rows."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from demo.postgres import Postgres
from demo.stack import free_port
from demo.story import MIB, RUN_ID, Demo, DemoFailedError, mib, row
from demo.tries import split_tries
from demo.versions import AIRFLOW_VERSION

ROWS = 1_600_000
PART_SIZE = 8 * MIB  # before compression: the operator's default
TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = f"{TODAY - timedelta(days=1):%Y-%m-%d}"
TABLE = f"""
CREATE TABLE orders (id bigint, placed timestamptz, customer int, amount numeric(12,2), note text)
  PARTITION BY RANGE (placed);
CREATE UNLOGGED TABLE orders_of_yesterday PARTITION OF orders FOR VALUES FROM ('{YESTERDAY}Z') TO ('{TODAY}');
CREATE UNLOGGED TABLE orders_of_today PARTITION OF orders DEFAULT;
INSERT INTO orders
  SELECT i, timestamptz '{YESTERDAY}Z' + i * interval '0.05 s', i % 9999, i * 0.25, md5(i::text) || md5((-i)::text)
  FROM generate_series(1, {ROWS}) AS i
  UNION ALL SELECT {ROWS} + i, '{TODAY}', 1, 1, 'of today: not exported' FROM generate_series(1, 1000) AS i;
CREATE INDEX ON orders (id);
ANALYZE orders
"""
WANTED = "COPY (SELECT * FROM orders_of_yesterday ORDER BY id) TO STDOUT (FORMAT csv, HEADER)"


class ExportDemo(Demo):
    """One run of the demo with a PostgreSQL, from an empty folder to the comparison of the object with the table."""

    target = "demo-export"
    dag_id = "example_sql_to_oss"
    task_id = "export"
    key = f"exports/{YESTERDAY}/orders.csv.gz"
    last_line = "exported:"
    seconds_a_part = 1.0

    def __init__(self, folder: Path) -> None:
        # Not below ``folder``: every user must be able to enter it if this one is root.
        self._data = Path(tempfile.mkdtemp(prefix="oss-resume-export-"))
        self._data.chmod(0o755)
        self._postgres = Postgres(self._data, free_port())
        super().__init__(folder)

    def stop(self) -> None:
        """Stop every process, and remove the data of PostgreSQL."""
        super().stop()
        shutil.rmtree(self._data, ignore_errors=True)

    def play(self) -> None:
        """Run all steps.

        :raises DemoFailedError: the result is not the expected one.
        """
        self.screen.title(
            f"Last night's export of {ROWS:,} rows from PostgreSQL to a local OSS, killed halfway · "
            f"Airflow {AIRFLOW_VERSION}"
        )
        self._start_oss()
        self._start_postgres()
        self._start_airflow()
        self._trigger()
        pid = self._watch_until_half()
        self._kill(pid)
        self._watch_retry()
        self._report()

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {
            "AIRFLOW_CONN_POSTGRES_DEFAULT": f"postgresql://{self._postgres.address}",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # else the run that is due may start beside ours
        }

    def _start_postgres(self) -> None:
        self._postgres.prepare(self._data / "no-template")
        self._oss_service.start("postgres", self._postgres.command(), self._airflow.environment)
        self._airflow.wait(self._postgres.is_up, "answer of PostgreSQL")
        for statement in TABLE.split(";"):
            self._postgres.execute(statement)
        self._wanted, size = self._copy()
        self.parts = -(-size // PART_SIZE)
        self.screen.event("postgres", f"{ROWS:,} rows in the partition of {YESTERDAY}, {mib(size)} as CSV")

    def _copy(self) -> tuple[str, int]:
        """Return the SHA-256 and the size of what the database itself writes as CSV."""
        digest, size = hashlib.sha256(), 0
        for block in self._postgres.copy(WANTED):
            digest.update(block)
            size += len(block)
        return digest.hexdigest(), size

    def _trigger(self) -> None:
        self._airflow.wait(lambda: self._api.knows_dag(self.dag_id), f"DAG {self.dag_id}", pause=0.3)
        self._api.run_dag(self.dag_id, RUN_ID, {}, TODAY.isoformat())

    def _report_success(self, result: dict[str, Any]) -> None:
        self._result = result
        self.screen.event(
            "success", f"the CRC-64 of the object equals that of the bytes sent: {result['crc64']}", "green"
        )

    def _report(self) -> None:
        first, second = split_tries(self._oss.requests())
        rows, reused = self._result["rows"], self._result["rows_reused"]
        kept = self._result["size"] - self._result["bytes_sent"]
        self.screen.table(
            [
                ["", "parts", "sent", "rows", ""],
                ["try 1", *row(first), f"{reused:,}", "in the bucket, then killed"],
                ["try 2", *row(second), f"{rows - reused:,}", "read from the table, success"],
                ["saved by resuming", str(self._result["parts_reused"]), mib(kept), f"{100 * reused // rows} %", ""],
            ]
        )
        self._compare(first, second)
        if rows != ROWS or not reused:
            raise DemoFailedError(f"{rows:,} rows instead of {ROWS:,}, of which {reused:,} reused")

    def _source_sha256(self) -> str:
        return self._wanted

    def _sha256_of(self, blocks: Iterable[bytes]) -> str:
        return super()._sha256_of(_expanded(blocks))


def _expanded(blocks: Iterable[bytes]) -> Iterable[bytes]:
    """Yield what `zcat` writes: gzip members one after the other."""
    member = zlib.decompressobj(wbits=31)
    for block in blocks:
        rest = block
        while rest:
            yield member.decompress(rest)
            rest = member.unused_data
            if member.eof:
                member = zlib.decompressobj(wbits=31)
