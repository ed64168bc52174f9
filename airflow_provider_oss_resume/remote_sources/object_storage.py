"""A file of any filesystem that Airflow's object storage opens.

From S3, Azure and Google a range is one request on condition of the file's tag, and its reply is streamed. From SFTP it
is read from an open file. From others it is read in blocks of 4 MiB, one request each, because fsspec has no interface
that streams. Where a range was read without the condition, the file's tag is asked for again, so bytes of another
content do not go unnoticed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    OSSResumeError,
    SourceChangedError,
    TransportError,
)
from airflow_provider_oss_resume.remote_sources.filesystems import NO_FILE, Location, error_of, locate
from airflow_provider_oss_resume.remote_sources.range_body import body_kind
from airflow_provider_oss_resume.remote_sources.replied_range import ATTEMPTS, RepliedRange
from airflow_provider_oss_resume.remote_sources.secret_url import shown_url
from airflow_provider_oss_resume.remote_sources.ssh import alive, call_connected, note_lost
from airflow_provider_oss_resume.sources.part_body import BLOCK_SIZE
from airflow_provider_oss_resume.sources.source import SIZE_ONLY, Fingerprint

Result = TypeVar("Result")

PASSING = (ConnectionError, TimeoutError, TransportError)
"""Errors of a connection that is lost in the middle of a reply; s3fs itself repeats requests that fail."""

_TAGS = ("generation", "ETag", "etag", "VersionId", "version_id")
"""What identifies the content; ``generation`` is first because Google's ranges are requested on condition of it."""


class ObjectStorageSource:
    """A file of an object store or another remote filesystem.

    :param url: such as ``s3://bucket/key`` or ``s3://conn_id@bucket/key``.
    :param conn_id: Airflow connection; default: the one in the URL.
    """

    def __init__(self, url: str, conn_id: str | None = None) -> None:
        self._url = url
        self._conn_id = conn_id

    @property
    def uri(self) -> str:
        return shown_url(self._url)

    def open(self) -> OpenObjectStorageFile:
        return OpenObjectStorageFile(locate(self._url, self._conn_id))


class OpenObjectStorageFile:
    """An open file of a filesystem."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self.fingerprint = self.exact_fingerprint()
        self._open_body = self._call(body_kind)

    @contextmanager
    def open_range(self, offset: int, length: int) -> Iterator[RepliedRange]:
        end = min(offset + length, self.fingerprint.size)
        tag = self.fingerprint.tag if self.fingerprint.strong else ""
        is_proven = True

        @contextmanager
        def request(first: int) -> Iterator[Iterator[bytes]]:
            nonlocal is_proven
            with closing(self._open_body(self._connected(), first, end, tag)) as body:
                is_proven = is_proven and body.is_conditional
                yield iter(lambda: body.read(BLOCK_SIZE), b"")

        with RepliedRange(request, offset, end, self._failed) as reader:
            yield reader
        # After the whole range: one look at the end covers all of its bytes.
        if not is_proven:
            self.check_unchanged()

    def let_go(self, offset: int, length: int) -> None:
        """Hold nothing."""

    def check_unchanged(self) -> None:
        now = self.exact_fingerprint()
        if now != self.fingerprint:
            raise SourceChangedError(
                f"{self._location.shown} changed while it was uploaded "
                f"({self.fingerprint.size:,} bytes, now {now.size:,})"
            )

    def exact_fingerprint(self) -> Fingerprint:
        location = self._location
        info = self._call(_info)
        if info.get("type") == "directory":
            raise ConfigurationError(f"{location.shown} is a directory: end its URL with '/' to upload all files in it")
        if info.get("type") in NO_FILE:
            raise ConfigurationError(f"{location.shown} is not a regular file: give the URL of one file")
        size = info.get("size")
        if size is None:
            raise ConfigurationError(f"{location.shown} has no size: upload it as a stream")
        tag = next((str(info[name]) for name in _TAGS if info.get(name)), "")
        return Fingerprint(int(size), tag or self._call(lambda seen: _weak_tag(seen, info)), strong=bool(tag))

    def _failed(self, error: Exception, failures: int) -> None:
        """Wait before a range is requested again.

        :raises SourceChangedError: each filesystem has its own error for a range of another content.
        """
        if isinstance(error, OSSResumeError) and not isinstance(error, TransportError):
            raise error
        if failures >= ATTEMPTS or not (isinstance(error, PASSING) or note_lost(self._location.fs, error)):
            self.check_unchanged()
            raise error_of(self._location, error) from None
        # 0.2 to 1.6 s: s3fs repeats requests itself, so this is only for replies that were cut.
        time.sleep(0.1 * 2**failures)

    def close(self) -> None:
        """Leave the filesystem open: Airflow shares it."""

    def _call(self, call: Callable[[Location], Result]) -> Result:
        try:
            return call_connected(self._location.fs, lambda fs: call(replace(self._location, fs=fs)))
        except Exception as error:  # noqa: BLE001 - whatever the filesystem raises
            raise error_of(self._location, error) from None

    def _connected(self) -> Location:
        """Return the location with a connection that is not known to be lost."""
        if (fs := alive(self._location.fs)) is not self._location.fs:
            self._location = replace(self._location, fs=fs)
        return self._location


def _info(location: Location) -> dict[str, Any]:
    # s3fs and others answer from the last listing, which may be older than the edit.
    location.fs.invalidate_cache()
    found: dict[str, Any] = location.fs.info(location.path)
    return found


def _weak_tag(location: Location, info: dict[str, Any]) -> str:
    modified = info.get("mtime") or info.get("modified") or info.get("LastModified") or info.get("last_modified")
    if modified:
        return str(modified)
    # The usual ukey() is a hash of all that info() tells.
    return SIZE_ONLY if info.keys() <= {"name", "size", "type"} else str(location.fs.ukey(location.path))
