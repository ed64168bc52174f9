from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from tests.crash.child import BUCKET

_numbers = count()


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
    with OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou") as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"exports/{next(_numbers)}.bin"
