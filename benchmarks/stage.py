"""The fixtures of a measurement: test files, a sink, a certificate."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.sink import Settings
from benchmarks.work import MIB

REPOSITORY = Path(__file__).resolve().parents[1]
_MANY = 100
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True, slots=True)
class TestFiles:
    """Files of one size whose bytes repeat one block of ``block`` bytes, so that the sink knows every checksum."""

    paths: tuple[Path, ...]
    size: int
    block: int

    def settings(self, certificate: str = "", **way: Any) -> Settings:
        """Return the settings of a sink for these files."""
        return Settings(str(self.paths[0]), self.block, certificate, **way)


def make_files(folder: Path, size: int, block_size: int, count: int = 1) -> TestFiles:
    """Write files of random bytes that repeat every ``block_size`` bytes, and wait until the disk has them.

    One after the other, unless they are many.
    """
    block = random.Random(20260101).randbytes(block_size)
    paths = tuple(folder / f"{size}-{number}.bin" for number in range(count))
    for path in paths:
        with path.open("wb") as file:
            for start in range(0, size, block_size):
                file.write(block[: size - start])
            if count < _MANY:
                file.flush()
                os.fsync(file.fileno())
    if count >= _MANY:
        os.sync()
    return TestFiles(paths, size, block_size)


def make_empty_files(folder: Path, count: int) -> TestFiles:
    """Make files without a byte."""
    paths = tuple(folder / f"{number}.bin" for number in range(count))
    for path in paths:
        path.touch()
    return TestFiles(paths, 0, 0)


def make_sparse_file(folder: Path, size: int) -> TestFiles:
    """Make a file of zeros that takes no room on the disk."""
    path = folder / f"{size}-sparse.bin"
    with path.open("wb") as file:
        file.truncate(size)
    return TestFiles((path,), size, MIB)


class RunningSink:
    """The sink's process."""

    def __init__(self, settings: Settings) -> None:
        command = [*PYTHON, "benchmarks.sink", json.dumps(asdict(settings))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the sink did not start")
        self._netloc = f"127.0.0.1:{port}"
        self._secure = bool(settings.certificate)

    @property
    def url(self) -> str:
        return f"{'https' if self._secure else 'http'}://{self._netloc}"

    def counts(self) -> dict[str, Any]:
        """Return the counts of the sink so far; only without TLS."""
        with urllib.request.urlopen(f"{self.url}/-/counts", timeout=10) as reply:
            counts: dict[str, Any] = json.loads(reply.read())
            return counts

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def running_sink(settings: Settings) -> Iterator[RunningSink]:
    sink = RunningSink(settings)
    try:
        yield sink
    finally:
        sink.stop()


def make_certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1 with its key, valid for a day."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark sink")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "sink.pem"
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path
