"""What a measurement stands on: test files, a sink, a certificate."""

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
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.oss.crc64 import combine, crc64
from benchmarks.sink import Settings
from benchmarks.work import MIB

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True, slots=True)
class TestFiles:
    """Files of one size whose bytes repeat one block, so that the sink can know every checksum."""

    paths: tuple[Path, ...]
    size: int
    block: bytes

    def checksums(self, lengths: Iterable[int]) -> dict[str, int]:
        """Return the CRC-64 of the file's first so many bytes, by their number."""
        return {str(length): self._checksum(length) for length in {*lengths, self.size}}

    def _checksum(self, length: int) -> int:
        count, rest = divmod(length, len(self.block))
        total, run, run_length = 0, crc64(self.block), len(self.block)
        while count:  # doubling; all blocks are equal, so it does not matter in which order they come
            if count & 1:
                total = combine(total, run, run_length)
            run, run_length, count = combine(run, run, run_length), run_length * 2, count >> 1
        return combine(total, crc64(self.block[:rest]), rest)


def make_files(folder: Path, size: int, block_size: int, count: int = 1) -> TestFiles:
    """Write files of random bytes that repeat every ``block_size`` bytes, and wait until the disk has them."""
    block = random.Random(20260101).randbytes(block_size)
    paths = tuple(folder / f"{size}-{number}.bin" for number in range(count))
    for path in paths:
        with path.open("wb") as file:
            for start in range(0, size, block_size):
                file.write(block[: size - start])
            file.flush()
            os.fsync(file.fileno())
    return TestFiles(paths, size, block)


def make_sparse_file(folder: Path, size: int) -> TestFiles:
    """Make a file of zeros that takes no room on the disk."""
    path = folder / f"{size}-sparse.bin"
    with path.open("wb") as file:
        file.truncate(size)
    return TestFiles((path,), size, bytes(MIB))


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
        """Return what the sink saw so far; only a sink in clear tells."""
        with urllib.request.urlopen(f"{self.url}/-/counts", timeout=10) as reply:
            counts: dict[str, Any] = json.loads(reply.read())
            return counts

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


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
