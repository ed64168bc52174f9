"""The part of the ``oss://`` file system that reads only names: paths, entries, listings."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem

from airflow_provider_oss_resume.filesystem.errors import as_os_errors

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss import OSSClient

DEFAULT_CONNECTION = "oss_default"


class OSSListing(AbstractFileSystem):  # type: ignore[misc]
    """Answer what is in OSS; see :class:`.OSSFileSystem`.

    :param conn_id: the connection whose client is used.
    """

    protocol = "oss"
    root_marker = ""

    def __init__(self, conn_id: str = DEFAULT_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self._client: tuple[int, OSSClient] | None = None

    @property
    def client(self) -> OSSClient:
        """Return the client of this process: connections do not survive a fork."""
        from airflow_provider_oss_resume.hooks.oss import OSSResumeHook

        if self._client is None or self._client[0] != os.getpid():
            # No lock: threads that ask at the same time make a client each, and all of them work.
            self._client = (os.getpid(), OSSResumeHook(self.conn_id).get_client())
        return self._client[1]

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = os.fspath(path) if isinstance(path, os.PathLike) else str(path)
        text = text.removeprefix("oss://")
        bucket, slash, key = text.lstrip("/").partition("/")
        return (bucket.rpartition("@")[2] + slash + key).rstrip("/")  # conn_id@bucket

    @classmethod
    def split(cls, path: str) -> tuple[str, str]:
        """Return bucket and key of a path; the key of a bucket is empty."""
        bucket, _, key = cls._strip_protocol(path).partition("/")
        return bucket, key

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        host = path.removeprefix("oss://").partition("/")[0]
        conn_id = host.rpartition("@")[0]
        return {"conn_id": conn_id} if conn_id else {}

    def unstrip_protocol(self, name: str) -> str:
        """Return a path as a URL, with the connection where it is not the default one."""
        host = "" if self.conn_id == DEFAULT_CONNECTION else f"{self.conn_id}@"
        return f"oss://{host}{self._strip_protocol(name)}"

    # ---------------------------------------------------------------- looking

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002 - fsspec calls it so
        """Return name, size, type, ETag and time of an object, or the entry of a directory."""
        from airflow_provider_oss_resume.filesystem.entries import described_file, directory

        path = self._strip_protocol(path)
        bucket, key = self.split(path)
        if not key:
            self._require_bucket(bucket, path)
            return directory(path)
        try:
            with as_os_errors(path):
                return described_file(path, self.client.head_object(bucket, key))
        except FileNotFoundError:
            with suppress(PermissionError):  # there is no such object, and whoever may not list sees no directories
                if self._first_entry(bucket, f"{key}/") is not None:
                    return directory(path)
            raise

    def exists(self, path: str, **kwargs: Any) -> bool:  # noqa: ARG002 - fsspec calls it so
        """Return whether there is an object or a directory; fsspec's own answers ``False`` to every error.

        :raises PermissionError: OSS does not say.
        """
        return self._type(path) is not None

    def isfile(self, path: str) -> bool:
        """Return whether there is an object.

        :raises PermissionError: OSS does not say.
        """
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Return whether there is a bucket or a prefix.

        :raises PermissionError: OSS does not say.
        """
        return self._type(path) == "directory"

    def expand_path(
        self, path: str | Sequence[str], recursive: bool = False, maxdepth: int | None = None, **kwargs: Any
    ) -> list[str]:
        """Return the files and directories of paths, which may be patterns.

        A path that exists is no pattern: to remove ``report[1].csv`` must not remove ``report1.csv``.
        """
        paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        literal: list[str] = []
        rest: list[str] = []
        for one in paths:
            (literal if self.is_literal(one) else rest).append(one)
        found = {self._strip_protocol(one) for one in literal}
        if recursive:
            found.update(*(self.find(one, maxdepth, withdirs=True) for one in literal))
        if rest or not literal:
            found.update(super().expand_path(rest, recursive, maxdepth, **kwargs))
        return sorted(found)

    def is_literal(self, path: Any) -> bool:
        """Return whether there is an object or a directory whose name has the wildcards of a pattern."""
        from glob import has_magic

        if not has_magic(os.fspath(path)):
            return False
        try:
            return self.exists(path)
        except PermissionError:  # whoever may only list can still use patterns
            return False

    def _literal(self, source: Any, target: Any, is_folder: Callable[[str], bool]) -> tuple[Any, Any]:
        """Return source and target as fsspec has to get them, so that it takes the source for no pattern."""
        if not (isinstance(source, str) and isinstance(target, str) and self.is_literal(source)):
            return source, target
        if target.endswith("/") or (is_folder(target) and not source.endswith("/")):
            target = posixpath.join(target, posixpath.basename(self._strip_protocol(source)))
        # Two lists are pairs for fsspec, which it does not expand.
        return ([source], [target]) if self.isfile(source) else (source, target)

    def _type(self, path: str) -> str | None:
        try:
            kind: str = self.info(path)["type"]
        except FileNotFoundError:
            return None
        return kind

    def _require_bucket(self, bucket: str, path: str) -> None:
        if bucket:
            with as_os_errors(path):
                # By a listing: GetBucketInfo needs a permission that a reader of objects rarely has.
                next(self.client.object_pages(bucket, page_size=1))

    def _first_entry(self, bucket: str, prefix: str) -> str | None:
        """Return the first key under a prefix: the prefix itself where an object stands for the directory."""
        with as_os_errors(f"{bucket}/{prefix}"):
            page = next(self.client.object_pages(bucket, prefix, page_size=1))
        return page.objects[0].key if page.objects else None

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:  # noqa: ARG002 - fsspec calls it so
        """Return the entries of a directory, or the entry of a file.

        :raises FileNotFoundError: there is neither.
        """
        path = self._strip_protocol(path)
        bucket, key = self.split(path)
        found = list(self._entries(bucket, f"{key}/" if key else "")) if bucket else self._buckets()
        if not found and key:
            entry = self.info(path)
            found = [] if entry["type"] == "directory" else [entry]
        return found if detail else sorted(entry["name"] for entry in found)

    def _buckets(self) -> list[dict[str, Any]]:
        from airflow_provider_oss_resume.filesystem.entries import directory

        return [directory(name) for name in self.client.list_buckets()]

    def _entries(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        from airflow_provider_oss_resume.filesystem.entries import directory, listed_file

        with as_os_errors(f"{bucket}/{prefix}"):
            for page in self.client.object_pages(bucket, prefix, delimiter="/"):
                # A prefix that ends in two slashes would be a directory inside itself.
                names = (f"{bucket}/{one}" for one in page.prefixes if not one.endswith("//"))
                yield from (directory(name.rstrip("/")) for name in names)
                # An object that is called like the directory stands for it where it is empty.
                yield from (listed_file(bucket, one) for one in page.objects if one.key != prefix)

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> list[str] | dict[str, Any]:
        """Return all files under a path, by one listing: 1,000 a request, however many directories there are."""
        from airflow_provider_oss_resume.filesystem.entries import directory, tree

        path = self._strip_protocol(path)
        bucket, key = self.split(path)
        if maxdepth is not None or not bucket:
            found: list[str] | dict[str, Any] = super().find(path, maxdepth, withdirs, detail, **kwargs)
            return found
        prefix, entries = f"{key}/" if key else "", {}
        # A bucket that does not exist holds no files, as in find() of other file systems.
        with suppress(FileNotFoundError), as_os_errors(path):
            entries = tree(bucket, prefix, self.client.list_objects(bucket, prefix), withdirs=withdirs)
        if withdirs and (entries or self.isdir(path)):
            entries[path] = directory(path)
        if not entries and self.isfile(path):
            entries[path] = self.info(path)
        return {name: entries[name] for name in sorted(entries)} if detail else sorted(entries)

    def created(self, path: str) -> datetime:
        """Return when an object was written."""
        return self.modified(path)

    def modified(self, path: str) -> datetime:
        """Return when an object was written."""
        moment: datetime = self.info(path)["LastModified"]
        return moment

    def checksum(self, path: str) -> int:
        """Return a number that changes with the object."""
        return int(self.ukey(path), 16)

    def ukey(self, path: str) -> str:
        """Return a text that changes with the object."""
        import hashlib

        entry = self.info(path)
        return hashlib.sha256(f"{path}{entry['size']}{entry.get('ETag')}".encode()).hexdigest()

    def sign(self, path: str, expiration: int = 100, **kwargs: Any) -> str:  # noqa: ARG002 - fsspec calls it so
        """Return a URL that reads the object for so many seconds. The URL is a secret."""
        return self.client.presign_get_object(*self.split(path), expiration)
