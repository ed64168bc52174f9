"""The checkpoint of a download and its text form; pure.

The record is never trusted alone: a range that it names is read from the ``.part`` file
again and counts only if its CRC-64 is the recorded one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """Name one version of one object, and how it is cut into ranges."""

    endpoint: str
    bucket: str
    key: str
    etag: str
    size: int
    part_size: int


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """Say which ranges of an object the ``.part`` file holds.

    :param parts: CRC-64 by part number.
    """

    version: ObjectVersion
    parts: Mapping[int, int] = field(default_factory=dict)

    def encode(self) -> str:
        """Return the record as JSON with a SHA-256 over its content."""
        version = self.version
        content = {
            "schema": SCHEMA,
            **{name: getattr(version, name) for name in version.__slots__},
            "parts": {str(number): str(crc) for number, crc in sorted(self.parts.items())},
        }
        return json.dumps({**content, "sha256": _digest(content)})


def decode(text: str) -> DownloadRecord | None:
    """Return the record that a text holds; ``None`` if the text is damaged or of another schema."""
    try:
        content = json.loads(text)
        digest = content.pop("sha256")
        if content.get("schema") != SCHEMA or digest != _digest(content):
            return None
        version = ObjectVersion(**{name: content[name] for name in ObjectVersion.__slots__})
        return DownloadRecord(version, {int(number): int(crc) for number, crc in content["parts"].items()})
    # A damaged record costs a download from the start, and never an error: nobody could repair it.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
