"""A complete object, and the list of complete objects in the checkpoint of a split export; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_oss_resume.checkpoint.record import decode
from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.export.rows.row_source import Key

_SECTION = "export"


@dataclass(frozen=True, slots=True)
class ExportedObject:
    """Describe an object that is complete and verified.

    :param raw_size: bytes of its rows before compression, without a header.
    :param raw_crc64: of the same bytes.
    """

    key: str
    size: int
    etag: str
    crc64: int
    rows: int
    raw_size: int
    raw_crc64: int
    parts: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; a CRC-64 is a string, because JSON readers lose digits of such numbers."""
        return {**asdict(self), "crc64": str(self.crc64), "raw_crc64": str(self.raw_crc64)}


@dataclass(frozen=True, slots=True)
class Finished:
    """Hold the objects of a split export that are complete, in order.

    :param last_key: of the last row in them, where rows have a key.
    """

    objects: tuple[ExportedObject, ...] = ()
    last_key: Key | None = None


def add_section(text: str, finished: Finished) -> str:
    """Return the text of a checkpoint with the finished objects beside it; :func:`.record.decode` ignores them."""
    content = {"objects": [asdict(one) for one in finished.objects], "last_key": finished.last_key}
    document = json.loads(text)
    return json.dumps({**document, _SECTION: {"sha256": _digest(content), "content": content}})


def read_section(text: str | None, tag: str) -> Finished:
    """Return the finished objects of a checkpoint's text; none where it is not of the same export.

    :param tag: fingerprint tag of the export, which the checkpoint has to have.
    """
    try:
        if text is None or decode(text).fingerprint.tag != tag:
            return Finished()
        section = json.loads(text)[_SECTION]
        content = section["content"]
        if section["sha256"] != _digest(content):
            return Finished()
        return Finished(tuple(ExportedObject(**one) for one in content["objects"]), _key(content["last_key"]))
    except (CheckpointError, KeyError, TypeError):
        return Finished()


def _key(values: Sequence[str] | None) -> Key | None:
    return None if values is None else tuple(values)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
