"""A real S3 server (moto) in a process of its own, with objects."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BUCKET = "exports"
_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
CONNECTION = "bench_s3"


@contextlib.contextmanager
def running_s3(path: Path, count: int) -> Iterator[str]:
    """Run a server that holds a file so many times; yield the URL of its directory, for children of this process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = _client(address, port)
        client.create_bucket(Bucket=_BUCKET)
        for number in range(count):
            with path.open("rb") as file:
                client.put_object(Bucket=_BUCKET, Key=f"many/{number}.bin", Body=file)
        extra = {"endpoint_url": address, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
        os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps(connection)
        yield f"s3://{CONNECTION}@{_BUCKET}/many/"
    finally:
        process.kill()
        process.wait()


def _client(address: str, port: int) -> Any:
    import boto3

    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return boto3.client("s3", endpoint_url=address, region_name="us-east-1", **_KEYS)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
