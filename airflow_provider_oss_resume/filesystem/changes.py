"""The part of the ``oss://`` file system that changes objects inside OSS: copies, moves, joins, deletions."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem

from airflow_provider_oss_resume.filesystem.errors import as_os_errors
from airflow_provider_oss_resume.filesystem.listing import OSSListing

if TYPE_CHECKING:
    from airflow_provider_oss_resume.filesystem.pairs import Pair

Name = tuple[str, str]
"""Bucket and key."""


class OSSChanges(OSSListing):
    """Change what is in OSS, without a byte that passes through this machine; see :class:`.OSSFileSystem`."""

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> Name | None:  # noqa: ARG002 - fsspec calls it so
        """Copy an object inside OSS, in parts above 1 GiB; of a directory, the object that stands for it.

        :return: the object that was copied; ``None`` if none stands for the directory.
        """
        from airflow_provider_oss_resume.object_io import copy_object

        source, target = self.split(path1), self.split(path2)
        try:
            with as_os_errors(path1, path2):
                copy_object(self.client, source, *target)
            return source
        except FileNotFoundError:
            folder = source[0], f"{source[1]}/"
            first = self._first_entry(*folder)
            if first is None:
                raise
            if first != folder[1]:
                return None
            with as_os_errors(path1, path2):
                copy_object(self.client, folder, target[0], f"{target[1]}/")
            return folder

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
        AbstractFileSystem.copy(found, *self._literal(path1, path2, found.isdir), recursive, maxdepth)
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
        paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        empty = [one for one in paths if not self._strip_protocol(one)]
        if empty:
            raise ValueError(f"path {empty[0]!r} names no bucket: it would delete the objects of all buckets")
        found = map(self.split, self.expand_path(path, recursive=recursive, maxdepth=maxdepth))
        names = [name for name in found if name[1]]
        # The objects that stand for directories end in a slash.
        folders = [(bucket, f"{key}/") for bucket, key in names] if recursive else []
        self.delete_objects([*names, *folders])

    def delete_objects(self, names: Iterable[Name]) -> None:
        """Delete objects by their names, which are no patterns.

        :raises OSError: OSS did not delete all of them.
        """
        for bucket, found in groupby(sorted(names), key=lambda name: name[0]):
            keys = [key for _, key in found]
            with as_os_errors(bucket):
                kept = [key for _, failed in self.client.delete_objects(bucket, keys) for key in failed]
            if kept:
                raise OSError(f"OSS did not delete {len(kept)} objects of {bucket}, the first is {kept[0]!r}")

    def rmdir(self, path: str) -> None:
        """Delete the object that stands for an empty directory.

        :raises OSError: the directory is not empty.
        """
        bucket, key = self.split(path)
        if self.ls(path):
            raise OSError(f"{path} is not empty")
        if key:
            with as_os_errors(path):
                self.client.delete_object(bucket, f"{key}/")
