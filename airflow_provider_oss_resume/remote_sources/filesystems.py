"""Open the filesystem of an object storage URL, and name the package to install where it is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, SourceError
from airflow_provider_oss_resume.oss.redaction import redact
from airflow_provider_oss_resume.remote_sources.secret_url import shown_url
from airflow_provider_oss_resume.remote_sources.ssh import SCHEMES, open_ssh
from airflow_provider_oss_resume.sources.local_path import ABOUT_BRACES, has_braces

PACKAGES = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "s3a": "apache-airflow-providers-amazon[s3fs]",
    "s3n": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "gcs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
    "adl": "apache-airflow-providers-microsoft-azure",
    "sftp": "apache-airflow-providers-sftp[sshfs]",
    "ssh": "apache-airflow-providers-sftp[sshfs]",
}

_REFUSALS = ("PermissionDenied", "SFTPPermissionDenied")
"""Errors of asyncssh, which has none of Python's own."""

NO_FILE = ("unknown", "other")
"""What a listing says of pipes, sockets and devices; a server that opens a pipe waits for ever."""

_VERSION = "?versionId="

_TO_SAFE = {ord(mark): chr(0xE000 + index) for index, mark in enumerate("?#\t\r\n")}
"""Characters of names that ObjectStoragePath drops from a URL: ``what?`` was read as ``what``, which is another file.

They are put into Unicode's private area meanwhile.
"""

_FROM_SAFE = {ord(safe): chr(mark) for mark, safe in _TO_SAFE.items()}


@dataclass(frozen=True, slots=True)
class Location:
    """A path in a filesystem.

    :param fs: an fsspec filesystem.
    :param path: as the filesystem names it.
    :param shown: URL for messages.
    """

    fs: Any
    path: str
    shown: str


def locate(url: str, conn_id: str | None) -> Location:
    """Return the filesystem and the path of a URL.

    :param conn_id: Airflow connection; default: the one in the URL, as in ``s3://conn@bucket/key``.
    :raises ConfigurationError: no filesystem is installed for the scheme, or the connection cannot work.
    :raises SourceError: the filesystem cannot be reached now.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    shown = shown_url(url)
    if _VERSION in url and url.startswith("s3"):
        raise ConfigurationError(
            f"source {shown!r} has {_VERSION!r}, which s3fs cuts off: it would read another object"
        )
    try:
        safe = url.translate(_TO_SAFE)
        path = ObjectStoragePath(safe, conn_id=conn_id) if conn_id else ObjectStoragePath(safe)
        fs = _of_this_process(_filesystem(path, url, conn_id))
        return Location(fs, path.path.translate(_FROM_SAFE), shown)
    except Exception as error:  # noqa: BLE001 - whatever a filesystem raises when it is made
        # Without its cause: the text of a foreign error may hold the URL and its password.
        raise _not_opened(shown, error, conn_id or _in_url(url)) from None


def _filesystem(path: Any, url: str, conn_id: str | None) -> Any:
    scheme, _, rest = url.partition("://")
    if scheme in SCHEMES and _is_known(scheme):
        return open_ssh(scheme, conn_id or rest.partition("/")[0].rpartition("@")[0] or None)
    return path.fs


def _of_this_process(fs: Any) -> Any:
    """Return a filesystem that works here: Airflow's cache of them survives a fork, and their connections do not.

    fsspec then fails with "This class is not fork-safe".
    """
    if getattr(fs, "_pid", os.getpid()) == os.getpid():
        return fs
    return type(fs)(*fs.storage_args, **fs.storage_options)


def _in_url(url: str) -> str:
    """Return the connection that a URL names; none where someone wrote a name and a password there."""
    named = url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    return "" if ":" in named else named


def _not_opened(shown: str, error: Exception, conn_id: str) -> OSSResumeError:
    """Return the error to raise where the filesystem of a URL cannot be made."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    if isinstance(error, ImportError) or not _is_known(scheme := shown.partition("://")[0]):
        return _missing(shown, error)
    if isinstance(error, AirflowNotFoundException):  # its text holds what is before the @
        named = f"the connection {conn_id!r}" if conn_id else "a name and a password, or a connection,"
        return ConfigurationError(
            f"source {shown!r} has {named} that Airflow does not know: write {scheme}://conn_id@… and keep name and "
            "password in that connection"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return ConfigurationError(
            f"source {shown!r} has a connection that names a file, such as a key, that this worker cannot read "
            f"({error.strerror}): its name is not shown, because it may be the key itself"
        )
    said = _said(error)
    if isinstance(error, (ValueError, TypeError, KeyError, NotImplementedError)):
        return ConfigurationError(f"source {shown!r} has a connection or a URL that {scheme!r} cannot use: {said}")
    return error_of(Location(None, "", shown), error)


def _is_known(scheme: str) -> bool:
    """Return whether an installed provider has a filesystem for a scheme."""
    from airflow.providers.common.compat.sdk import io  # type: ignore[attr-defined]  # it is loaded on first use

    return bool(io.has_fs(scheme))


def _missing(shown: str, error: Exception) -> ConfigurationError:
    scheme = shown.partition("://")[0]
    package = PACKAGES.get(scheme)
    if package is None and not isinstance(error, ImportError):
        return ConfigurationError(f"source {shown!r} has the scheme {scheme!r}, which no installed filesystem serves")
    remedy = f"install {package}" if package else "install the package of that filesystem"
    return ConfigurationError(f"source {shown!r} needs a package that is missing ({_said(error)}): {remedy}")


def error_of(location: Location, error: Exception) -> ConfigurationError | SourceError:
    """Return the error to raise where a filesystem fails. It does not name its cause, whose text may hold a secret."""
    if _is_refused(error):
        return ConfigurationError(f"{location.shown} may not be read: check the connection and its permissions")
    if isinstance(error, FileNotFoundError):
        if has_braces(location.path):
            return ConfigurationError(f"{location.shown}: there is no such file; {ABOUT_BRACES}")
        return SourceError(f"{location.shown}: there is no such file now")
    return SourceError(f"{location.shown} cannot be read: {_said(error)}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {redact(str(error))}"


def _is_refused(error: Exception) -> bool:
    """Return whether a filesystem refuses the connection or its key; each has errors of its own for that."""
    if isinstance(error, PermissionError) or type(error).__name__ in _REFUSALS:
        return True
    status = getattr(error, "status_code", None) or getattr(error, "code", None)  # of Azure; of Google
    return status in (401, 403) or (isinstance(error, OSError) and str(error).startswith("Forbidden: "))
