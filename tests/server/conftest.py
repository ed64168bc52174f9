from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from tests.server import uploads
from tests.server.batches import Batch
from tests.server.uploads import Scene, content

BUCKET = uploads.BUCKET
KEYS = Credentials("test-id", "test-secret")
TOKENS = ("token-1", "token-2", "token-3", "token-4")
SPENT_TOKENS = ("spent-1", "spent-2", "spent-3", "spent-4")
"""For a test that lets them expire: the server remembers it, and whatever runs later needs its own."""
IMPATIENT = RetryPolicy(max_elapsed=20.0, base_delay=0.01, max_delay=0.02)
"""Retries at once: what is tested is whether, not how long after."""

ClientFactory = Callable[..., OSSClient]

_numbers = count()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(
        tmp_path_factory.mktemp("oss"), buckets=(BUCKET,), security_tokens=(*TOKENS, *SPENT_TOKENS)
    ) as server:
        yield server
        assert "Traceback" not in server.log_text()


@pytest.fixture
def server(shared_server: DevServer) -> Iterator[DevServer]:
    """The dev server, with no request seen yet; each fault that a test plans has to happen."""
    shared_server.clear_requests()
    yield shared_server
    unfired = shared_server.unfired()
    shared_server.clear_faults()
    assert unfired == []


@pytest.fixture
def make_client() -> Iterator[ClientFactory]:
    """Make clients that are closed when the test is over."""
    made: list[OSSClient] = []

    def make(endpoint: str, credentials: Any = KEYS, **options: Any) -> OSSClient:
        made.append(OSSClient(endpoint, credentials, **{"region": "cn-hangzhou", "retry": IMPATIENT, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(server: DevServer, make_client: ClientFactory) -> OSSClient:
    return make_client(server.url)


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return f"exports/{next(_numbers)}.csv"


@pytest.fixture
def scene(server: DevServer, client: OSSClient, key: str, tmp_path: Path) -> Scene:
    """A file of eight parts that is to be uploaded."""
    file = tmp_path / "export.csv"
    file.write_bytes(content())
    return Scene(server, client, key, file)


@pytest.fixture
def batch(server: DevServer, client: OSSClient, tmp_path: Path) -> Iterator[Batch]:
    folder = tmp_path / "exports"
    folder.mkdir()
    made = Batch(server, client, folder)
    yield made
    for path in folder.rglob("*"):
        path.chmod(0o755)
