"""An emulator of Google Cloud Storage in a process of its own, and the filesystem that reads from it.

Airflow's Google provider is not installed with the tests, so gcsfs is attached to Airflow's object storage here.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from tests.airflow.emulator import Emulator

BUCKET = "exports"
CONN_ID = "gcs_exports"
URL_VARIABLE = "TEST_GCS_URL"
"""Where a child process finds the server."""


class GCSServer(Emulator):
    """gcp-storage-emulator, with one bucket."""

    def __init__(self, log: Path) -> None:
        options = ["start", "--host", "127.0.0.1", "--port", "{port}", "--default-bucket", BUCKET, "--in-memory"]
        super().__init__("gcp_storage_emulator", options, log)
        os.environ[URL_VARIABLE] = self.url
        attach_filesystem()
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        self._fs = ObjectStoragePath(self.address("")).fs

    def write(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(f"{BUCKET}/{name}", data)

    def remove(self, name: str) -> None:
        self._fs.rm_file(f"{BUCKET}/{name}")

    def source(self, name: str) -> ObjectStorageSource:
        return ObjectStorageSource(self.address(name))

    def address(self, name: str) -> str:
        return f"gs://{CONN_ID}@{BUCKET}/{name}"

    def close(self) -> None:
        os.environ.pop(URL_VARIABLE, None)
        super().close()


def attach_filesystem(conn_id: str = CONN_ID, url: str = "") -> None:
    """Make Airflow open ``gs://conn_id@…`` in this process by gcsfs.

    :param url: of the server; default: the one of the environment.
    """
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"  # it asks for the kind of a bucket by gRPC
    from airflow.sdk.io import attach
    from gcsfs import GCSFileSystem  # type: ignore[import-untyped]

    attach("gs", conn_id, fs=GCSFileSystem(endpoint_url=url or os.environ[URL_VARIABLE], token="anon", project="test"))
