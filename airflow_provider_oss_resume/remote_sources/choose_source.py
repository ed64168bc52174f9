"""Make sources and selections from the ``source`` of a task."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

from airflow_provider_oss_resume.exceptions import ConfigurationError, NoRangesError, OSSResumeError
from airflow_provider_oss_resume.remote_sources.http import HTTPSource
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from airflow_provider_oss_resume.remote_sources.secret_url import is_http, shown_url, whole_url
from airflow_provider_oss_resume.remote_sources.selection import ObjectStorageSelection, names_many_files
from airflow_provider_oss_resume.sources.local_path import is_directory, is_local, local_path
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import MAGIC, NamePatterns, SelectedFile, Selection, Unreadable
from airflow_provider_oss_resume.sources.source import Source


def is_many(source: object) -> bool:
    """Return whether a rendered source names many files: a list, a directory or a glob.

    A local path that exists as a file is that file, whatever characters it has. The URL of a directory ends in ``/``.

    :raises OSSResumeError: it cannot be told what a local path is.
    """
    if isinstance(source, (list, tuple)):
        return True
    if not isinstance(source, str) or not source or is_http(source):
        return False
    if not is_local(source):
        return names_many_files(source)
    try:
        path = local_path(source)
    except ConfigurationError:
        return False  # refused where it is read
    return is_directory(path) or (MAGIC.search(path) is not None and not os.path.lexists(path))


def source_of(source: str, conn_id: str | None = None) -> str | Source:
    """Return the source of one file; a local path as it is.

    :param conn_id: Airflow connection of a remote source.
    """
    source = whole_url(source)
    if is_http(source):
        return HTTPSource(_with_login(source, conn_id))
    return source if is_local(source) else ObjectStorageSource(source, conn_id)


def selection_of(
    sources: Sequence[str], names: NamePatterns, symlinks: str = "follow", conn_id: str | None = None
) -> Selection:
    """Return the selection of many files, which may be of several kinds."""
    sources = [whole_url(one) for one in sources]
    local = [one for one in sources if is_local(one)]
    remote = [one for one in sources if not is_local(one) and not is_http(one)]
    return _Mixed(
        LocalSelection(local, names, symlinks),
        ObjectStorageSelection(remote, names, conn_id),
        [one for one in sources if is_http(one)],
        conn_id,
    )


class _Mixed:
    """Local files, files of object storage, and files of web servers."""

    def __init__(
        self, local: LocalSelection, remote: ObjectStorageSelection, urls: Sequence[str], conn_id: str | None
    ) -> None:
        self._local = local
        self._remote = remote
        self._urls = _named(urls)
        self._conn_id = conn_id

    def files(self) -> Iterator[SelectedFile | Unreadable]:
        yield from self._local.files()
        yield from self._remote.files()
        for shown in self._urls:
            yield self._of_url(shown)

    def source(self, location: str) -> Source:
        if location in self._urls:
            return HTTPSource(_with_login(self._urls[location], self._conn_id))
        return self._local.source(location) if is_local(location) else self._remote.source(location)

    def _of_url(self, shown: str) -> SelectedFile | Unreadable:
        try:
            opened = self.source(shown).open()
        except NoRangesError as error:
            if error.size is None:
                return Unreadable(
                    shown, f"{error} and does not report the size of the file: upload it in a task of its own"
                )
            return SelectedFile(shown, _file_name(shown), error.size)
        except OSSResumeError as error:
            return Unreadable(shown, str(error))
        opened.close()
        return SelectedFile(shown, _file_name(shown), opened.fingerprint.size)


def _named(urls: Sequence[str]) -> dict[str, str]:
    """Return URLs by the names that messages show; those that differ in their queries get a number."""
    named: dict[str, str] = {}
    seen = Counter[str]()
    for url in urls:
        shown = shown_url(url)
        seen[shown] += 1
        named[f"{shown}#{seen[shown]}" if seen[shown] > 1 else shown] = url
    return named


def _file_name(shown: str) -> str:
    return shown.partition("#")[0].rpartition("/")[2]


def _with_login(url: str, conn_id: str | None) -> str:
    """Return a URL with name and password of a connection; the URL is then a secret."""
    if not conn_id:
        return url
    from urllib.parse import quote

    from airflow.providers.common.compat.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    if not connection.login:
        return url
    scheme, _, rest = url.partition("://")
    # Encoded, so that a password with @ or / ends where it should.
    login = f"{quote(connection.login, safe='')}:{quote(connection.password or '', safe='')}"
    return f"{scheme}://{login}@{rest}"
