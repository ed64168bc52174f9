"""Objects and prefixes as entries of a directory; pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.oss.times import read_time

if TYPE_CHECKING:
    from airflow_provider_oss_resume.oss import ListedObject, ObjectInfo


def directory(path: str) -> dict[str, Any]:
    """Return the entry of a bucket or a prefix."""
    return {"name": path, "size": 0, "type": "directory", "StorageClass": "DIRECTORY"}


def listed_file(bucket: str, found: ListedObject) -> dict[str, Any]:
    """Return the entry of an object in a listing."""
    return {
        "name": f"{bucket}/{found.key}",
        "size": found.size,
        "type": "file",
        "ETag": found.etag,
        "LastModified": read_time(found.last_modified),
        "StorageClass": found.storage_class,
    }


def described_file(path: str, info: ObjectInfo) -> dict[str, Any]:
    """Return the entry of an object by its headers."""
    return {
        "name": path,
        "size": info.size,
        "type": "file",
        "ETag": info.etag,
        "LastModified": read_time(info.last_modified),
        "StorageClass": info.storage_class,
        "ContentType": info.content_type,
    }


def tree(bucket: str, prefix: str, objects: Iterable[ListedObject], *, withdirs: bool) -> dict[str, dict[str, Any]]:
    """Return the entries of all objects under a prefix, and of the directories that their keys name.

    An object whose key ends in a slash stands for a directory.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in objects:
        if not one.key.endswith("/"):
            found[f"{bucket}/{one.key}"] = listed_file(bucket, one)
        folder = posixpath.dirname(one.key) if withdirs else ""
        # Until a directory that an earlier key has named: the ones above it are there then.
        while len(folder) > len(prefix) and (path := f"{bucket}/{folder}") not in found:
            found[path] = directory(path)
            folder = posixpath.dirname(folder)
    return found
