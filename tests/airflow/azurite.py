"""Azurite, Microsoft's own emulator of Azure Blob Storage, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource

COMMAND = Path(__file__).parents[1] / "conformance" / "sdk" / "node_modules" / ".bin" / "azurite-blob"
CONTAINER = "exports"
CONN_ID = "azure_exports"
ACCOUNT = "testaccount"
SECRET = "aHVzaC1odXNoLWh1c2gtaHVzaA=="


class Azurite:
    """Azurite's blob server, with one container."""

    def __init__(self, folder: Path) -> None:
        from azure.storage.blob import BlobServiceClient

        log = folder / "azurite.log"
        command = [str(COMMAND), "--blobPort", "0", "--location", str(folder), "--skipApiVersionCheck"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": f"{ACCOUNT}:{SECRET}"},
                stdout=output,
                stderr=output,
            )
        self.url = _address(log)
        service = BlobServiceClient.from_connection_string(self._connection_string)
        service.create_container(CONTAINER)
        self._container = service.get_container_client(CONTAINER)

    @property
    def _connection_string(self) -> str:
        key = f"AccountName={ACCOUNT};AccountKey={SECRET}"
        return f"DefaultEndpointsProtocol=http;{key};BlobEndpoint={self.url}/{ACCOUNT};"

    @property
    def connection(self) -> str:
        """Return the server as an Airflow connection."""
        return json.dumps({"conn_type": "wasb", "extra": {"connection_string": self._connection_string}})

    def write(self, name: str, data: bytes) -> None:
        self._container.upload_blob(name, data, overwrite=True)

    def remove(self, name: str) -> None:
        self._container.delete_blob(name)

    def source(self, name: str) -> ObjectStorageSource:
        return ObjectStorageSource(self.address(name))

    def address(self, name: str) -> str:
        return f"abfs://{CONN_ID}@{CONTAINER}/{name}"

    def close(self) -> None:
        self._process.kill()  # told to end, it waits for its clients' idle connections
        self._process.wait()


def _address(log: Path) -> str:
    """Return the address that Azurite prints once it listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if "listening at http" in line or "listens on http" in line:
                return "http" + line.rpartition("http")[2].strip()
        time.sleep(0.05)
    raise RuntimeError(f"Azurite does not start: {log.read_text()[-500:]}")
