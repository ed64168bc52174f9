"""What a download is asked to do, and what it did."""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.sources.layout import require_part_size
from airflow_provider_oss_resume.sources.local_path import path_of_file_url

DEFAULT_CONCURRENCY = 8
MAX_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """Ask for one object to become one local file.

    :param bucket: the bucket's name.
    :param key: the object's key.
    :param path: of the file; ``~`` is the user's home. The last segment of the key is appended to a folder that exists
        and to a path that ends in ``/``; read :attr:`path` for the result.
    :param part_size: bytes of a range, 100 KiB to 5 GiB; chosen from the object's size if ``None``.
    :param max_concurrency: ranges read at the same time, 1 to 64.
    :raises ConfigurationError: one of these cannot work.
    """

    bucket: str
    key: str
    path: str | os.PathLike[str]
    part_size: int | None = None
    max_concurrency: int = DEFAULT_CONCURRENCY

    def __post_init__(self) -> None:
        """Resolve the path and refuse what cannot work, before anything is opened or sent."""
        require_bucket_name(self.bucket)
        require_key(self.key)
        object.__setattr__(self, "path", file_path(self.path, self.key))  # the dataclass is frozen for everybody else
        if self.part_size is not None:
            require_part_size(self.part_size)
        _require_concurrency(self.max_concurrency)


def _require_concurrency(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_CONCURRENCY:
        raise ConfigurationError(f"max_concurrency is {value!r}: it must be a whole number from 1 to {MAX_CONCURRENCY}")


def file_path(path: str | os.PathLike[str], key: str) -> str:
    """Return the path of the file that an object is written to.

    :raises ConfigurationError: there is no path, it is a device or a pipe, or it is a folder and the key has no last
        segment.
    """
    given, name = os.path.expanduser(_text(path)), posixpath.basename(key)
    if not given:
        raise ConfigurationError("path is empty: write the path of the file to write")
    mode = _mode(given)
    if not given.endswith("/") and not stat.S_ISDIR(mode):
        # The file gets its name by a rename, which would replace /dev/null by a file.
        if mode and not stat.S_ISREG(mode):
            raise ConfigurationError(f"path {given!r} is no regular file: write the path of a file")
        return given
    # These would be the folder itself or the one above it.
    if name in ("", ".", ".."):
        raise ConfigurationError(f"path {given!r} is a folder, and key {key!r} has no file name: write the whole path")
    return os.path.join(given, name)


def _text(path: object) -> str:
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or "\0" in text:
        raise ConfigurationError(f"path is {path!r:.60}: write the path of the file to write")
    return text


def target_path(path: Any) -> Any:
    """Return the path of a local file that a path or a ``file://`` URL names.

    :raises ConfigurationError: it is a URL of another service, which would become a local folder ``s3:``, or of another
        machine.
    """
    scheme, found, _ = path.partition("://") if isinstance(path, str) else ("", "", "")
    if not found or "/" in scheme:
        return path
    if scheme.lower() not in ("file", "local"):
        raise ConfigurationError(
            f"path {path!r:.80} is a URL of {scheme!r}: write a local path, or use ResumableDownloadOperator"
        )
    return path_of_file_url("path", path)


def _mode(path: str) -> int:
    """Return the mode of a file; 0 if it does not exist.

    Only one system call looks at the path: between two calls another download may create the folder.
    """
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: the path has a null byte, which open() reports
        return 0


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """Say what a download did; every number is of this try alone.

    :param path: of the file.
    :param size: bytes of the object.
    :param crc64: of the bytes in the file.
    :param verified: whether OSS reports a CRC-64 of the object, which then equals ``crc64``.
    :param parts_reused: ranges that an earlier try wrote to the ``.part`` file and that were read again.
    :param bytes_received: bytes that were read from OSS and written.
    :param unchanged: whether the file held the object before, so that nothing was read from OSS.
    """

    bucket: str
    key: str
    path: str
    size: int
    etag: str
    crc64: int
    verified: bool = True
    parts: int = 0
    parts_reused: int = 0
    bytes_received: int = 0
    unchanged: bool = False
    duration_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom; the CRC-64 as text, because JSON readers lose digits of such numbers."""
        return {**asdict(self), "crc64": str(self.crc64), "duration_s": round(self.duration_s, 3)}
