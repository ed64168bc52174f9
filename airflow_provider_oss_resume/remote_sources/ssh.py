"""The filesystem of an SFTP server: made with the key of its connection, and made anew when the connection is lost.

sshfs has one SSH connection for a filesystem, and fsspec keeps the filesystem. After the connection is lost, each call
fails, in later tries of the process too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

SCHEMES = ("sftp", "ssh")

_NETWORK = {"connect_timeout": 30, "keepalive_interval": 15}
"""Seconds. Without keepalive requests a read waits for ever for a lost server; after three without reply it fails."""

_LOST = ("ConnectionLost", "ChannelOpenError", "SFTPNoConnection", "SFTPConnectionLost")
"""Names of asyncssh's own errors of a lost connection."""

_IS_LOST, _NEWER = "_oss_resume_is_lost", "_oss_resume_newer"
_lock = threading.Lock()


def open_ssh(scheme: str, conn_id: str | None) -> Any:
    """Return the filesystem of a connection."""
    from airflow.providers.common.compat.sdk import BaseHook, io  # type: ignore[attr-defined]  # loaded on first use

    options: dict[str, Any] = dict(_NETWORK) if conn_id else {}
    key = BaseHook.get_connection(conn_id).extra_dejson.get("private_key") if conn_id else None
    if key:
        # As bytes: asyncssh takes a string for the name of a file, and Airflow's provider gives it one.
        options["client_keys"] = [key.encode()]
    try:
        return alive(io.get_fs(scheme, conn_id, options))
    except TypeError:  # of a host that is missing
        if conn_id:
            raise
        raise ValueError("it names no connection: write its id and @ before the path, or give source_conn_id") from None


def alive(fs: Any) -> Any:
    """Return a filesystem, with a new connection if its own was lost."""
    if not _is_ssh(fs):
        return fs
    with _lock:  # one connection, however many threads lost the old one
        while (newer := getattr(fs, _NEWER, None)) is not None:
            fs = newer
        if not _is_closed(fs):
            return fs
        newer = type(fs)(*fs.storage_args, **fs.storage_options, skip_instance_cache=True)
        setattr(fs, _NEWER, newer)
        return newer


def call_connected(fs: Any, call: Callable[[Any], Result]) -> Result:
    """Return what a call of a filesystem returns, the second time if the first one finds the connection lost."""
    fs = alive(fs)
    try:
        return call(fs)
    except Exception as error:
        if not note_lost(fs, error):
            raise
    return call(alive(fs))


def note_lost(fs: Any, error: Exception) -> bool:
    """Return whether an error says that the connection of a filesystem is lost; :func:`alive` then makes another."""
    if not _is_ssh(fs):
        return False
    if type(error).__name__ in _LOST:  # also a channel that ended in a connection that did not: sshfs would keep it
        setattr(fs, _IS_LOST, True)
    return _is_closed(fs)


def _is_ssh(fs: Any) -> bool:
    return type(fs).__module__.partition(".")[0] == "sshfs"


def _is_closed(fs: Any) -> bool:
    return getattr(fs, _IS_LOST, False) or bool(fs.client.is_closed())
