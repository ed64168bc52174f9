"""Files of remote filesystems as a selection: URLs, globs and directories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.remote_sources.filesystems import NO_FILE, Location, error_of, locate
from airflow_provider_oss_resume.remote_sources.object_bodies import is_gcsfs
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from airflow_provider_oss_resume.remote_sources.ssh import call_connected
from airflow_provider_oss_resume.sources.selection import (
    MAGIC,
    NamePatterns,
    SelectedFile,
    Unreadable,
    glob_regex,
    split_glob,
)


def names_many_files(url: str) -> bool:
    """Return whether an object storage URL is a glob, or a directory: it ends in ``/``."""
    return url.endswith("/") or MAGIC.search(urlsplit(url).path) is not None or "?" in url


class ObjectStorageSelection:
    """Files named by object storage URLs.

    :param urls: each a file, a directory that ends in ``/`` (with all below it), or a glob.
    :param names: chooses among the files of directories and globs.
    :param conn_id: Airflow connection; default: the one in each URL.
    :raises ConfigurationError: a URL is a scheme alone.
    """

    def __init__(self, urls: Sequence[str], names: NamePatterns | None = None, conn_id: str | None = None) -> None:
        for url in urls:
            if not url.partition("://")[2].strip("/"):  # in OSS it would be all objects of all buckets
                raise ConfigurationError(f"source {url!r} names nothing: write bucket and key, or bucket and prefix/")
        self._urls = urls
        self._names = names or NamePatterns()
        self._conn_id = conn_id

    def files(self) -> Iterator[SelectedFile | Unreadable]:
        for url in self._urls:
            yield from self._of_url(url)

    def source(self, location: str) -> ObjectStorageSource:
        return ObjectStorageSource(location, self._conn_id)

    def _of_url(self, url: str) -> Iterator[SelectedFile | Unreadable]:
        if not names_many_files(url):
            yield self._of_file(url)
            return
        root, pattern = split_glob(url)
        regex = glob_regex(pattern, hidden=False) if pattern else None
        base = root.rstrip("/") + "/"
        top = locate(base, self._conn_id)
        for relative, size in _walk(top, top.path.rstrip("/") + "/"):
            if isinstance(size, Unreadable):
                yield size
            elif (regex is None or regex.fullmatch(relative)) and self._names.accept(relative):
                yield SelectedFile(base + relative, relative, size)

    def _of_file(self, url: str) -> SelectedFile | Unreadable:
        location = locate(url, self._conn_id)
        try:
            size = call_connected(location.fs, lambda fs: fs.info(location.path)).get("size") or 0
        except Exception as error:  # noqa: BLE001 - whatever the filesystem raises
            return Unreadable(url, str(error_of(location, error)))
        return SelectedFile(url, url.rpartition("/")[2], size)


def _walk(top: Location, base: str) -> Iterator[tuple[str, int | Unreadable]]:
    """Yield the relative path and size of all files; one listing of a directory is in memory at a time."""
    pending = [top.path]
    while pending:
        directory = pending.pop()
        try:
            entries = call_connected(top.fs, partial(_entries, directory))
        except FileNotFoundError:
            continue  # empty, or removed meanwhile: object stores have no directories
        except Exception as error:  # noqa: BLE001 - whatever the filesystem raises
            place = Location(top.fs, directory, _shown(top, directory))
            yield "", Unreadable(place.shown, str(error_of(place, error)))
            continue
        yield from _files_in(top, base, directory, entries, pending)


def _files_in(
    top: Location, base: str, directory: str, entries: list[dict[str, Any]], pending: list[str]
) -> Iterator[tuple[str, int | Unreadable]]:
    """Yield the files of one listing, and add its directories to those that are to be listed."""
    for entry in entries:
        name, kind = str(entry["name"]), entry.get("type")
        is_itself = name.rstrip("/") == directory.rstrip("/")
        if kind == "directory" and is_itself:
            yield from _without_name(top, directory, name)
        elif kind == "directory":
            pending.append(name)
        elif kind in NO_FILE:
            yield "", Unreadable(_shown(top, name), f"{_shown(top, name)} is not a regular file")
        elif not is_itself:  # the marker of a directory is listed in it
            yield _relative(name, base), int(entry.get("size") or 0)


def _without_name(top: Location, directory: str, name: str) -> Iterator[tuple[str, Unreadable]]:
    """Yield the failure of keys such as ``a//b``: a listing of their directory would list the one above for ever."""
    shown = _shown(top, name)
    try:
        is_marker = call_connected(top.fs, partial(_is_marker, directory))
    except Exception as error:  # noqa: BLE001 - whatever the filesystem raises
        yield "", Unreadable(shown, str(error_of(Location(top.fs, directory, shown), error)))
        return
    if not is_marker:
        why = f"{shown} has keys with two slashes in a row, which its filesystem cannot list: name each of them"
        yield "", Unreadable(shown, why)


def _is_marker(directory: str, fs: Any) -> bool:
    """Return whether a directory lists itself for its marker only, as the console of Google makes one: ``a/``.

    gcsfs lists the marker and the keys with two slashes as the same entry.
    """
    if not is_gcsfs(fs):
        return False
    try:
        return all(str(entry["name"]).rstrip("/") == directory.rstrip("/") for entry in _entries(directory, fs, "/"))
    except FileNotFoundError:
        return True


def _shown(top: Location, name: str) -> str:
    return f"{top.shown.partition('://')[0]}://{name}"


def _entries(directory: str, fs: Any, prefix: str = "") -> list[dict[str, Any]]:
    # Only gcsfs knows a prefix.
    entries: list[dict[str, Any]] = fs.ls(directory, detail=True, **({"prefix": prefix} if prefix else {}))
    fs.invalidate_cache()  # listings that stay in the cache would hold all names in memory
    return entries


def _relative(name: str, base: str) -> str:
    return name.removeprefix(base) if name.startswith(base) else name.lstrip("/").removeprefix(base.lstrip("/"))
