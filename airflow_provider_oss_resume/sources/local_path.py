"""Read the forms in which the path of a local file can be written; pure, except that ``~`` needs the user's home."""

from __future__ import annotations

import errno
import os
import re
import stat

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, SourceError

_FILE = "file:"
_LOCAL_HOSTS = ("", "localhost")
_PATTERN = "*?"
_BRACES = re.compile(r"\{[^{}]*,[^{}]*\}")

_FINAL = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EISDIR}
)
"""What another try cannot change: a permission, a path that leads nowhere, a socket.

Everything else may pass: a network volume that is mounted again (ESTALE, EIO, ETIMEDOUT, ENOTCONN),
too many open files (EMFILE, ENFILE), no memory (ENOMEM), a busy file (EBUSY).
"""


_MISSPELT = re.compile(r"\s*(https?|oss|s3[an]?|gc?s|abfss?|adl|s?ftp|ssh|hdfs):/", re.IGNORECASE)
"""A URL with one slash or with a space before it; as a path, it would be shown with its password."""

ABOUT_BRACES = "braces such as {a,b} are not expanded: write a list of paths or patterns"


def has_braces(pattern: str) -> bool:
    """Return whether a shell would expand a pattern to several ones."""
    return _BRACES.search(pattern) is not None


def is_local(source: str) -> bool:
    """Return whether a source is a path or a ``file://`` URL, and not the URL of another kind of source."""
    scheme, separator, _ = source.partition("://")
    return not separator or not scheme.replace("+", "").isalnum() or scheme.lower() in ("file", "local")


def local_path(source: str | os.PathLike[str]) -> str:
    """Return the absolute path that a path, ``~`` or ``file://`` URL names.

    The path of a URL is taken as it is, as fsspec and Airflow's ``ObjectStoragePath`` do: ``%20`` is no space.

    :raises ConfigurationError: it names no file of this machine.
    """
    text = os.fsdecode(source)  # a path-like object may hold bytes
    if not text.strip():  # abspath() would make the working directory of it, and a list with "" would upload that
        raise ConfigurationError(
            f"source has the empty path {text!r}: write the path of a file; perhaps a template was empty"
        )
    scheme, separator, _ = text.partition("://")
    if (found := _MISSPELT.match(text)) and is_local(text):
        raise ConfigurationError(
            f"source begins with {found[0]!r} and is no URL: write {found[1]}:// with two slashes and no space"
        )
    # Other text before :// is part of a file's name, such as "a b://c".
    if separator and scheme.isalnum():
        text = _path_of_url(text, scheme.lower())
    elif text.startswith(_FILE):
        text = text.removeprefix(_FILE)
    return os.path.abspath(os.path.expanduser(text))


def _path_of_url(url: str, scheme: str) -> str:
    if scheme not in ("file", "local"):
        raise ConfigurationError(f"source has the scheme {scheme!r}: write the path of a local file, or a file:// URL")
    return path_of_file_url("source", url)


def path_of_file_url(name: str, url: str) -> str:
    """Return the path in a ``file://`` URL, as it is.

    :param name: of the argument, for the message.
    :raises ConfigurationError: the URL names another machine.
    """
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in _LOCAL_HOSTS or not slash:
        raise ConfigurationError(f"{name} {url!r} names the host {host!r}: write file:///path, with three slashes")
    return slash + path


def is_directory(path: str) -> bool:
    """Return whether a path is a directory; ``False`` if there is nothing.

    ``os.path.isdir`` answers every error with ``False``: a directory on a volume that was mounted again was then read
    as a file, and refused for good.

    :raises OSSResumeError: it cannot be told; see :func:`error_of_open`.
    """
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise error_of_open(path, error) from error


def error_of_open(path: str, error: OSError | ValueError) -> OSSResumeError:
    """Return the error to raise for a file that cannot be opened or looked at.

    :return: a :class:`SourceError`, which is retried, unless no other try can succeed.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ENOENT:
        return _error_of_missing(path)
    if code in (errno.EACCES, errno.EPERM):
        return ConfigurationError(f"file {path!r} may not be read by user id {os.geteuid()}")
    if code == errno.ENXIO:
        return ConfigurationError(f"{path!r} is not a regular file: give the path of one file")
    reason = error.strerror if isinstance(error, OSError) else error  # str() would repeat the path
    if code in _FINAL or code is None:
        return ConfigurationError(f"file {path!r:.300} cannot be opened: {reason}")
    return SourceError(f"file {path!r} cannot be opened at present: {reason}")


def _error_of_missing(path: str) -> OSSResumeError:
    if any(one in path for one in _PATTERN):
        return ConfigurationError(f"no such file: {path!r}; a pattern is not expanded: write the path of one file")
    if has_braces(path):
        return ConfigurationError(f"no such file: {path!r}; {ABOUT_BRACES}")
    # Not for good: the retry may run on another worker, or after the export.
    return SourceError(f"no such file: {path!r} on this worker")
