"""fsspec's own tests of a file system, on the dev server."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem, get_fs
from tests.airflow import bucket

_numbers = count()


class OSSFixtures(AbstractFixtures):  # type: ignore[misc]
    @pytest.fixture
    def fs(self, oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
        OSSFileSystem.clear_instance_cache()
        return get_fs(None)

    @pytest.fixture
    def fs_path(self) -> str:
        """A folder that no other test uses."""
        return f"{bucket.NAME}/fsspec/{next(_numbers)}"

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestCopy(AbstractCopyTests, OSSFixtures):  # type: ignore[misc]
    pass


class TestGet(AbstractGetTests, OSSFixtures):  # type: ignore[misc]
    pass


class TestPut(AbstractPutTests, OSSFixtures):  # type: ignore[misc]
    pass


class TestOpen(AbstractOpenTests, OSSFixtures):  # type: ignore[misc]
    pass


class TestPipe(AbstractPipeTests, OSSFixtures):  # type: ignore[misc]
    pass
