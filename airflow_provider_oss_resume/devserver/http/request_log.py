"""The request log: one JSON line for each request, on disk, readable after the server ends.

Secrets are masked before a record is made, because ``/-/requests`` shows the log and users
paste it into bug reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

_MASK = "***"
_SECRETS = frozenset(
    ("x-oss-security-token", "security-token", "x-oss-signature", "signature", "x-oss-copy-source-security-token")
)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """Describe a request that got a reply or a reset connection.

    :param seq: 1, 2, 3 in the order of the replies.
    :param status: HTTP status sent, 0 if the connection was reset.
    :param code: OSS's error code, empty for success.
    :param body_bytes: received bytes of the request's body.
    :param fault: kind of the planned fault that the request got, empty for none.
    """

    seq: int
    time: float
    operation: str
    bucket: str
    key: str
    upload_id: str
    part_number: int | None
    status: int
    code: str
    body_bytes: int
    fault: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def record_of_json(values: Mapping[str, Any]) -> RequestRecord:
    """Return the record that a JSON object describes; unknown fields are ignored."""
    known = {one.name for one in fields(RequestRecord)}
    return RequestRecord(**{name: value for name, value in values.items() if name in known})


def masked(values: Mapping[str, str]) -> dict[str, str]:
    """Return headers or query parameters without their secrets."""
    return {name: _masked_value(name.lower(), value) for name, value in values.items()}


def _masked_value(name: str, value: str) -> str:
    if name in _SECRETS:
        return _MASK
    if name == "authorization":
        return re.sub(r"(Signature=|^OSS [^:]*:)[^,\s]*", rf"\1{_MASK}", value)
    return value


class RequestLog:
    """Append records to a file and read them back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        _cut_torn_line(path)
        self._count = len(self.lines())
        self._file = path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def next_seq(self) -> int:
        """Return the number of the next record."""
        return self._count + 1

    def append(self, record: RequestRecord) -> None:
        """Write one record and flush the file."""
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.flush()
        self._count += 1

    def lines(self) -> list[str]:
        """Return the JSON lines of the file."""
        return self._path.read_text(encoding="utf-8").split("\n")[:-1]

    def clear(self) -> None:
        """Delete all records."""
        # The file is open for appending, so the next record is written at its start.
        self._file.truncate(0)
        self._count = 0


def _cut_torn_line(path: Path) -> None:
    """Remove the partial last line that a killed server leaves."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        path.write_bytes(content[:whole])
