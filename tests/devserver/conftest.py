from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from tests.devserver.wire import Wire

_numbers = count()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    root = tmp_path_factory.mktemp("oss")
    with DevServer(root, security_tokens=("token-1", "token-2")) as server:
        yield server
        assert "Traceback" not in server.log_text()


@pytest.fixture
def server(shared_server: DevServer) -> Iterator[DevServer]:
    """One server for all tests; each test that plans faults has to see them happen."""
    yield shared_server
    unfired = shared_server.unfired()
    shared_server.clear_faults()
    assert unfired == []


@pytest.fixture
def wire(server: DevServer) -> Wire:
    """A bucket of its own for each test."""
    wire = Wire(server.url, f"bucket-{next(_numbers)}")
    assert wire.send("PUT").status == 200
    return wire


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[DevServer]:
    """A server that the test may kill."""
    with DevServer(tmp_path / "oss", buckets=("examplebucket",)) as server:
        yield server
