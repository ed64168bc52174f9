"""``oss://`` paths for Airflow's ``ObjectStoragePath`` and everything else that takes a file system of fsspec."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.utils import isfilelike

from airflow_provider_oss_resume.filesystem.errors import as_os_errors
from airflow_provider_oss_resume.filesystem.file import OSSFile, require_mode
from airflow_provider_oss_resume.filesystem.listing import DEFAULT_CONNECTION, OSSListing

if TYPE_CHECKING:
    from airflow_provider_oss_resume.filesystem.pairs import Pair

schemes = ["oss"]


def get_fs(conn_id: str | None, storage_options: Mapping[str, Any] | None = None) -> AbstractFileSystem:
    """Return the file system of a connection; Airflow calls it for ``oss://`` paths.

    :param conn_id: connection of type ``oss_resume`` or ``oss``; ``oss_default`` if ``None``.
    :param storage_options: further arguments of :class:`OSSFileSystem`.
    """
    return OSSFileSystem(conn_id=conn_id or DEFAULT_CONNECTION, **(storage_options or {}))


class OSSFileSystem(OSSListing):
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

    # ---------------------------------------------------------------- changing

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:  # noqa: ARG002 - fsspec calls it so
        """Copy an object inside OSS, in parts above 1 GiB; of a directory, the object that stands for it."""
        from airflow_provider_oss_resume.object_io import copy_object

        source, target = self.split(path1), self.split(path2)
        try:
            with as_os_errors(path1, path2):
                copy_object(self.client, source, *target)
        except FileNotFoundError:
            folder = source[0], f"{source[1]}/"
            first = self._first_entry(*folder)
            if first is None:
                raise
            if first == folder[1]:
                copy_object(self.client, folder, target[0], f"{target[1]}/")

    def copy(
        self,
        path1: str | list[str],
        path2: str | list[str],
        recursive: bool = False,
        maxdepth: int | None = None,
        on_error: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy objects inside OSS, several at the same time.

        :param on_error: ``raise``, or ``ignore`` for objects that are missing; the latter is the default of
            ``recursive``.
        """
        from airflow_provider_oss_resume.filesystem.pairs import for_each

        pairs = self._pairs_of_copy(path1, path2, recursive, maxdepth)
        may_be_missing = on_error == "ignore" or (on_error is None and recursive)

        def copy(pair: Pair) -> None:
            try:
                self.cp_file(*pair, **kwargs)
            except FileNotFoundError:
                if not may_be_missing:
                    raise

        for_each(copy, pairs)

    def _pairs_of_copy(
        self, path1: str | list[str], path2: str | list[str], recursive: bool, maxdepth: int | None
    ) -> list[Pair]:
        from airflow_provider_oss_resume.filesystem.pairs import PairsOnly

        found: Any = PairsOnly(self)
        # Called on the class, so that its self.cp_file is that of PairsOnly.
        AbstractFileSystem.copy(found, *self._literal(path1, path2, self.isdir), recursive, maxdepth)
        pairs: list[Pair] = found.pairs
        return pairs

    def mv(
        self,
        path1: str | list[str],
        path2: str | list[str],
        recursive: bool = False,
        maxdepth: int | None = None,
        **kwargs: Any,  # noqa: ARG002 - fsspec calls it so
    ) -> None:
        """Copy objects inside OSS, then delete those that were copied, and no others.

        :raises IsADirectoryError: ``path1`` is a directory, and ``recursive`` is false.
        :raises ValueError: an object would be overwritten before it is moved.
        """
        from airflow_provider_oss_resume.filesystem.moving import move

        if self._strip_protocol(path1) == self._strip_protocol(path2):
            return
        pairs = self._pairs_of_copy(path1, path2, recursive, maxdepth)
        if not pairs:
            raise IsADirectoryError(errno.EISDIR, "a directory moves with recursive=True only", path1)
        move(self, pairs)

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

    def merge(self, path: str, filelist: Sequence[str]) -> None:
        """Join objects, in their order, to one: no byte passes through this machine.

        :param filelist: every object but the last has 100 KiB to 5 GiB.
        """
        from airflow_provider_oss_resume.object_io import join_objects
        from airflow_provider_oss_resume.upload import ObjectOptions

        bucket, key = self.split(path)
        with as_os_errors():
            headers = ObjectOptions().headers_for("InitiateMultipartUpload", key)
            join_objects(self.client, [self.split(one) for one in filelist], bucket, key, headers)

    def rm_file(self, path: str) -> None:
        """Delete an object."""
        with as_os_errors(path):
            self.client.delete_object(*self.split(path))

    def rm(self, path: str | Sequence[str], recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete objects, 1,000 a request; one that is missing is no error, and a bucket is never deleted.

        :raises ValueError: the path is empty, which would be all buckets.
        :raises OSError: OSS did not delete all of them.
        """
        paths = [path] if isinstance(path, str) else list(path)
        empty = [one for one in paths if not self._strip_protocol(one)]
        if empty:
            raise ValueError(f"path {empty[0]!r} names no bucket: it would delete the objects of all buckets")
        self.delete_named(self.expand_path(path, recursive=recursive, maxdepth=maxdepth), with_folders=recursive)

    def delete_named(self, paths: Sequence[str], *, with_folders: bool) -> None:
        """Delete objects by their names, which are no patterns.

        :param with_folders: delete the objects that stand for directories of these names too.
        :raises OSError: OSS did not delete all of them.
        """
        names = map(self.split, paths)
        for bucket, found in groupby(sorted(name for name in names if name[1]), key=lambda name: name[0]):
            keys = [key for _, key in found]
            # The objects that stand for directories end in a slash.
            wanted = [*keys, *(f"{key}/" for key in keys)] if with_folders else keys
            with as_os_errors(bucket):
                kept = [key for _, failed in self.client.delete_objects(bucket, wanted) for key in failed]
            if kept:
                raise OSError(f"OSS did not delete {len(kept)} objects of {bucket}, the first is {kept[0]!r}")

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

    def rmdir(self, path: str) -> None:
        """Delete the object that stands for an empty directory.

        :raises OSError: the directory is not empty.
        """
        bucket, key = self.split(path)
        if self.ls(path):
            raise OSError(f"{path} is not empty")
        if key:
            self.client.delete_object(bucket, f"{key}/")
