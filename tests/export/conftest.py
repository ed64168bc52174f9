from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from tests.export.postgres import Postgres, running_postgres
from tests.export.scene import BUCKET, Scene

_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(tmp_path_factory.mktemp("oss"), buckets=(BUCKET,)) as server:
        yield server
        assert "Traceback" not in server.log_text()


@pytest.fixture
def server(shared_server: DevServer) -> Iterator[DevServer]:
    shared_server.clear_requests()
    yield shared_server
    shared_server.clear_faults()


@pytest.fixture
def client(server: DevServer) -> Iterator[OSSClient]:
    retry = RetryPolicy(max_elapsed=20.0, base_delay=0.01, max_delay=0.02)
    with OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou", retry=retry) as client:
        yield client


@pytest.fixture
def scene(postgres: Postgres, server: DevServer, client: OSSClient) -> Scene:
    return Scene(postgres, server, client, f"exports/{next(_numbers)}/orders")


@pytest.fixture(scope="session")
def orders(postgres: Postgres) -> str:
    """A table of 60,000 rows, about 5 MB of CSV."""
    postgres.run(
        """CREATE TABLE orders AS SELECT i::bigint AS id, i % 7 AS customer, (i * 1.10)::numeric(12,2) AS amount,
             md5(i::text) AS note, timestamptz '2024-06-01 10:00:00.12+00' + i * interval '1 second' AS placed,
             CASE WHEN i % 3 = 0 THEN NULL ELSE i / 2 END AS discount
           FROM generate_series(1, 60000) AS i""",
        "ALTER TABLE orders ADD PRIMARY KEY (id)",
        "ANALYZE orders",
    )
    return "orders"
