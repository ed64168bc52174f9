"""Make one directory equal to another, on any two file systems of fsspec."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_oss_resume.download.key_paths import require_below
from airflow_provider_oss_resume.filesystem.pairs import for_each

Place = tuple[AbstractFileSystem, str]


def sync(source: Place, target: Place, *, delete: bool) -> list[str]:
    """Copy what differs, and return the paths that were written; see :meth:`.OSSFileSystem.sync`."""
    (source_fs, source_path), (target_fs, target_path) = source, target
    if not source_fs.isdir(source_path):
        raise ValueError(f"{source_path} is not a directory: sync copies the files in a directory")
    _require_apart(source, target)
    wanted, present = _files(source), _files(target)
    if isinstance(target_fs, LocalFileSystem):
        # Before the first copy: a key such as ../x would be a file outside of the target.
        for name in wanted:
            require_below(name, name)
    written = [name for name, entry in wanted.items() if name not in present or _differs(entry, present[name])]
    for_each(
        lambda pair: _copy((source_fs, pair[0]), (target_fs, pair[1])),
        ((f"{source_path}/{name}", f"{target_path}/{name}") for name in written),
    )
    for name in present.keys() - wanted.keys() if delete else ():
        target_fs.rm_file(f"{target_path}/{name}")
    return [f"{target_path}/{name}" for name in written]


def _require_apart(source: Place, target: Place) -> None:
    """Raise an error if one folder is in the other: each run would copy the copies, or delete files of the source."""
    # fsspec keeps one object for each place and its options, so another object is another place.
    if source[0] is not target[0] or source[1] == target[1]:
        return
    inner, outer = sorted((source[1], target[1]), key=len, reverse=True)
    if inner.startswith(f"{outer.rstrip('/')}/") or not outer:
        raise ValueError(f"{inner} is inside {outer or 'all buckets'}: sync needs folders, neither inside the other")


def _files(place: Place) -> dict[str, Mapping[str, Any]]:
    fs, path = place
    start = len(path.rstrip("/"))
    found = fs.find(path, detail=True)
    return {
        name[start:].removeprefix("/"): entry for name, entry in sorted(found.items()) if entry.get("type") == "file"
    }


def _differs(source: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    changed, written = _modified(source), _modified(target)
    return source["size"] != target["size"] or changed is None or written is None or changed > written


def _modified(entry: Mapping[str, Any]) -> datetime | None:
    """Return when a file was written; each file system has a name of its own for it."""
    moment = next((entry[name] for name in ("LastModified", "mtime", "created") if entry.get(name)), None)
    if isinstance(moment, (int, float)):
        return datetime.fromtimestamp(moment, timezone.utc)
    # A time without a zone cannot be compared with one that has it: such a file is copied each time.
    return moment if isinstance(moment, datetime) and moment.tzinfo else None


def _copy(source: Place, target: Place) -> None:
    (source_fs, source_path), (target_fs, target_path) = source, target
    if source_fs is target_fs:
        source_fs.cp_file(source_path, target_path)
    elif isinstance(source_fs, LocalFileSystem):
        target_fs.put_file(source_path, target_path)
    elif isinstance(target_fs, LocalFileSystem):
        source_fs.get_file(source_path, target_path)
    else:
        with source_fs.open(source_path, "rb") as reader, target_fs.open(target_path, "wb") as writer:
            shutil.copyfileobj(reader, writer, 4 * 1024 * 1024)
