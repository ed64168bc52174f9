"""``oss://`` paths for Airflow's ``ObjectStoragePath`` and everything else that takes a file system of fsspec."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.utils import isfilelike

from airflow_provider_oss_resume.filesystem.changes import OSSChanges
from airflow_provider_oss_resume.filesystem.errors import as_os_errors
from airflow_provider_oss_resume.filesystem.file import OSSFile, require_mode
from airflow_provider_oss_resume.filesystem.listing import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from airflow_provider_oss_resume.filesystem.pairs import Pair

schemes = ["oss"]


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> AbstractFileSystem:
    """Return the file system of a connection; Airflow calls it for ``oss://`` paths.

    :param conn_id: connection of type ``oss_resume`` or ``oss``; ``oss_default`` if ``None``.
    :param storage_options: further arguments of :class:`OSSFileSystem`.
    """
    return OSSFileSystem(conn_id=conn_id or DEFAULT_CONNECTION, **(storage_options or {}))


class OSSFileSystem(OSSChanges):
    """Objects as files, prefixes as directories; nothing is cached, and directories need not be made.

    Errors are those of a file system where there is one: ``FileNotFoundError``, ``PermissionError``,
    ``FileExistsError``. All others are those of this package.

    :param conn_id: the connection whose client is used; it is read when the first request is sent.
    """

    # ---------------------------------------------------------------- reading and writing

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Open an object for reading, or for writing it from its start.

        :param mode: ``r``, ``w`` or ``x`` (the object must not exist), with ``b`` for bytes.
        :param block_size: bytes that are read from OSS at least; 4 MiB by default.
        :param compression: such as ``gzip``, or ``infer``.
        :param kwargs: ``object_options``, a dict of the arguments of
            :class:`~airflow_provider_oss_resume.upload.ObjectOptions`; ``encoding``, ``errors`` and ``newline``;
            ``cache_type`` and others of fsspec.
        """
        if "r" in mode:
            return super().open(path, mode, block_size, cache_options, compression, **kwargs)
        from airflow_provider_oss_resume.filesystem.layered_file import TextFile, compressed

        text = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        file = super().open(path, mode.replace("t", "").replace("b", "") + "b", block_size, cache_options, **kwargs)
        layered: Any = compressed(file, path, compression) if compression else file
        return layered if "b" in mode else TextFile(layered, **text)

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **kwargs: Any) -> OSSFile:
        require_mode(mode, path)
        if block_size is not None and block_size < 0:  # fsspec would leave out the last bytes
            raise ValueError(f"block_size is {block_size}: write a number of bytes, or None")
        if not self.split(path)[1]:
            raise IsADirectoryError(path)
        if mode == "xb" and self.exists(path):  # the request that creates the object refuses it too
            raise FileExistsError(path)
        file = OSSFile(self, path, mode, block_size=block_size, **kwargs)
        if mode == "rb" and file.details["type"] == "directory":
            raise IsADirectoryError(path)
        return file

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return the bytes of an object, or a range of them."""
        from airflow_provider_oss_resume.object_io import read_object

        if start is None and end is None:
            with as_os_errors(path):
                return read_object(self.client, *self.split(path))
        content: bytes = super().cat_file(path, start, end, **kwargs)
        return content

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        """Store bytes as an object."""
        with self.open(path, "xb" if mode == "create" else "wb", **kwargs) as file:
            file.write(value)

    def touch(self, path: str, truncate: bool = True, **kwargs: Any) -> None:  # noqa: ARG002 - fsspec calls it so
        """Store an empty object; one that is there keeps its bytes unless ``truncate``."""
        if truncate or not self.exists(path):
            self.pipe_file(path, b"")

    def get_file(
        self, rpath: str, lpath: Any = None, callback: Any = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Download an object to a local file as the download operator does: ranged, resumed and verified."""
        from airflow_provider_oss_resume.download import Downloader, DownloadRequest

        if outfile is not None or isfilelike(lpath):
            with self.open(rpath, "rb", **kwargs) as file:
                shutil.copyfileobj(file, outfile or lpath, self.blocksize)
            return
        if os.path.isdir(lpath) and self.isfile(rpath):
            # The downloader would write into the folder, under a path that the caller does not know.
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(lpath))
        try:
            with as_os_errors(rpath):
                done = Downloader(self.client).download(DownloadRequest(*self.split(rpath), os.fspath(lpath)))
        except FileNotFoundError:
            if not self.isdir(rpath):
                raise
            os.makedirs(lpath, exist_ok=True)
        else:
            callback.set_size(done.size)
            callback.absolute_update(done.size)

    # ---------------------------------------------------------------- many files

    def get(
        self,
        rpath: str | list[str],
        lpath: str | list[str],
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Download objects to local files, several at the same time; see :meth:`get_file`."""
        from airflow_provider_oss_resume.filesystem.pairs import PairsOnly

        found: Any = PairsOnly(self)
        AbstractFileSystem.get(
            found, *self._literal(rpath, lpath, os.path.isdir), recursive, maxdepth=maxdepth, **kwargs
        )
        self._copy_each(self.get_file, found.pairs, callback, kwargs)

    def put(
        self,
        lpath: str | list[str],
        rpath: str | list[str],
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Store local files as objects, several at the same time."""
        from airflow_provider_oss_resume.filesystem.pairs import PairsOnly

        found: Any = PairsOnly(self)
        AbstractFileSystem.put(found, lpath, rpath, recursive, maxdepth=maxdepth, **kwargs)
        self._copy_each(self.put_file, found.pairs, callback, kwargs)

    @staticmethod
    def _copy_each(copy_file: Callable[..., None], pairs: list[Pair], callback: Any, kwargs: dict[str, Any]) -> None:
        from airflow_provider_oss_resume.filesystem.pairs import for_each

        callback.set_size(len(pairs))

        def copy(pair: Pair) -> None:
            with callback.branched(*pair) as child:
                copy_file(*pair, callback=child, **kwargs)
            callback.relative_update()

        for_each(copy, pairs)

    def sync(self, source: str, target: str, *, delete: bool = False) -> list[str]:
        """Make the files under ``target`` those under ``source``, and return the paths that were written.

        A file is copied if the target has none, one of another size, or one that is older.

        :param source: ``oss://`` path, or URL of another file system, such as ``file:///data``.
        :param target: likewise.
        :param delete: remove the files of the target that the source does not have.
        :raises ValueError: the source is not a directory, one of the two is inside the other, or a key cannot be
            the path of a local file.
        """
        from airflow_provider_oss_resume.filesystem.sync import sync

        return sync(self._place(source), self._place(target), delete=delete)

    def _place(self, url: str) -> tuple[AbstractFileSystem, str]:
        from fsspec.core import url_to_fs

        text = os.fspath(url) if isinstance(url, os.PathLike) else str(url)
        if "://" not in text or text.startswith("oss://"):
            conn_id = self._get_kwargs_from_urls(text).get("conn_id", self.conn_id)
            fs = self if conn_id == self.conn_id else get_fs(conn_id)
            return fs, self._strip_protocol(text)
        place: tuple[AbstractFileSystem, str] = url_to_fs(text)
        return place

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Do nothing: a prefix need not be made."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Do nothing: a prefix need not be made."""
