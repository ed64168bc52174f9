"""One try of an export in a process of its own, which a test may kill: ``python -m tests.export.child JSON``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.export import Exporter, ExportRequest, Limits, Output, PostgresCopy, Query
from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import Owner
from tests.export.postgres import DRIVERS
from tests.export.scene import BUCKET

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Try:
    """Say what a try exports, and from where to where.

    :param number: which try it is, from 1.
    """

    endpoint: str
    database: str
    sql: str
    key: str
    checkpoint: str
    file_format: str = "csv"
    compression: str | None = None
    order_by: tuple[str, ...] = ()
    driver: str = "psycopg2"
    part_size: int = 102_400
    split_rows: int | None = None
    number: int = 1

    def export(self) -> dict[str, Any]:
        """Make the try in this process."""
        output = Output(self.file_format, self.compression)
        query = Query(self.sql, None, tuple(self.order_by))
        request = ExportRequest(
            BUCKET, self.key, output, query.order_by, Limits(self.part_size, split_rows=self.split_rows)
        )
        retry = RetryPolicy(max_elapsed=30.0, base_delay=0.01, max_delay=0.05)
        with OSSClient(self.endpoint, Credentials("test-id", "test-secret"), "cn-hangzhou", retry=retry) as client:
            exporter = Exporter(client, FileStore(self.checkpoint), owner=Owner(try_number=self.number))
            source = PostgresCopy(DRIVERS[self.driver](self.database), query, output.copy_format)
            return exporter.export(source, request).as_dict()

    def start(self, crash_at: str = "") -> subprocess.Popen[str]:
        """Make the try in a process of its own, and return when it is about to start."""
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.export.child", json.dumps(asdict(self))],
            cwd=REPOSITORY,
            env={**os.environ, "OSS_RESUME_CRASH_AT": crash_at},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "exporting\n"
        return child

    def next(self) -> Try:
        """Return the try that Airflow makes after this one."""
        return replace(self, number=self.number + 1)


if __name__ == "__main__":
    this = Try(**json.loads(sys.argv[1]))
    print("exporting", flush=True)
    print(json.dumps(this.export()), flush=True)
