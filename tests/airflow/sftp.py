"""A real SFTP server (asyncssh) in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource

CONN_ID = "sftp_exports"
SECRET = "hush-hush"


def new_key() -> str:
    """Return a private key as the text that a connection holds."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class SFTPServer:
    """A folder behind SFTP.

    :ivar private_key: opens it, in place of the password.
    :ivar other_key: does not.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._times = count(1_700_000_000)
        self.private_key, self.other_key = new_key(), new_key()
        public = load_pem_private_key(self.private_key.encode(), None).public_key()
        allowed = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        command = [sys.executable, "-W", "ignore", "-m", "tests.airflow.sftp", str(folder), SECRET, allowed]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    @property
    def connection(self) -> str:
        """Return the server as an Airflow connection."""
        place = {"host": "127.0.0.1", "port": self._port, "login": "user", "password": SECRET}
        return json.dumps({"conn_type": "sftp", **place, "extra": {"no_host_key_check": "true"}})

    def write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (0, next(self._times)))  # SFTP tells whole seconds

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def source(self, name: str) -> ObjectStorageSource:
        return ObjectStorageSource(self.address(name))

    def address(self, name: str) -> str:
        return f"sftp://{CONN_ID}@/{name}"

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()  # closes the pipe too


async def _serve(folder: str, password: str, public_key: str) -> None:
    import asyncssh

    class OneUser(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password_given: str) -> bool:
            return password_given == password

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return key == asyncssh.import_public_key(public_key)

    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=OneUser,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=folder.encode()),
    )
    print(server.get_port(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:4]))
