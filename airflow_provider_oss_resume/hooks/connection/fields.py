"""The fields of an Airflow connection, read by type; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError

FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """Hold the fields of an Airflow connection.

    Every method that reads a value raises :class:`ConfigurationError` with the connection's id if it is wrong.
    """

    conn_id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def refused(self, reason: str) -> ConfigurationError:
        """Return the error that names this connection."""
        return ConfigurationError(f"connection {self.conn_id!r}: {reason}")

    def text(self, name: str) -> str:
        """Return a string of extra, empty if there is none."""
        value = self.extra.get(name)
        if isinstance(value, (bool, list, Mapping)):  # the message does not show it: it may be a secret
            raise self.refused(f"{name} in its extra is a {type(value).__name__}, it must be a string")
        return self.written(name)

    def written(self, name: str) -> str:
        """Return a value of extra of any type as text, empty if there is none."""
        value = self.extra.get(name)
        return "" if value is None else str(value).strip()

    def seconds(self, name: str, default: float) -> float:
        """Return a value of extra as a number of seconds above 0."""
        text = self.written(name)
        try:
            seconds = float(text) if text else default
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise self.refused(f"{name} is {text!r}, it must be a number of seconds above 0")
        return seconds

    def whole(self, name: str, default: int) -> int:
        """Return a value of extra as a whole number."""
        text = self.written(name)
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise self.refused(f"{name} is {text!r}, it must be a whole number")
        return int(text) if text else default

    def flag(self, name: str, default: bool) -> bool:
        """Return a value of extra as true or false."""
        text = self.written(name).lower()
        if text and text not in FLAGS:
            raise self.refused(f"{name} is {text!r}, it must be true or false")
        return FLAGS[text] if text else default
