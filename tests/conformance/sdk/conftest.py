"""The dev server against the official clients: what they send is accepted, what it answers they understand."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer

with warnings.catch_warnings():  # oss2's docstrings have invalid escapes, which Python reports when it compiles them
    warnings.simplefilter("ignore")
    import oss2  # noqa: F401

BUCKET = "examplebucket"
_numbers = count()


_LEAKS = ("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the Python SDKs leave their connections open: they offer no way to close them all."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for leak in _LEAKS:
                item.add_marker(pytest.mark.filterwarnings(leak))


@pytest.fixture(scope="module", autouse=True)
def _collect_leaks() -> Iterator[None]:
    """Collect what the SDKs leave here, so that no other test is blamed for it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="session")
def sdk_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    root = tmp_path_factory.mktemp("oss")
    with DevServer(root, buckets=(BUCKET,), security_tokens=("token",)) as server:
        yield server
        assert "Traceback" not in server.log_text()


@pytest.fixture
def server(sdk_server: DevServer) -> Iterator[DevServer]:
    yield sdk_server
    unfired = sdk_server.unfired()
    sdk_server.clear_faults()
    sdk_server.clear_requests()
    assert unfired == []


@pytest.fixture
def prefix() -> str:
    """Return a folder of its own for each test, with all that makes keys hard."""
    return f"{next(_numbers)}/a b+c%ü&//"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file of two and a half parts of 100 KiB."""
    path = tmp_path / "source.bin"
    path.write_bytes(os.urandom(256_000))
    return path
