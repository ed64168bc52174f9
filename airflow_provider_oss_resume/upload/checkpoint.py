"""The checkpoint and its text form; pure.

A checkpoint is a shortcut, never the truth: it names the upload to ask the
bucket about. Parts stand in it so that a RAM user who may not list parts can
resume too. It is plain JSON, versioned, with a SHA-256 over its content, so a
damaged one is noticed and handled like a lost one. Parts are packed, 24 bytes
each, because 10,000 of them are written again and again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.upload.source import Fingerprint

SCHEMA = 1

_MD5_HEX = frozenset("0123456789ABCDEF")
_PLAIN = re.compile(r"[!-~]{1,1024}")
_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Owner:
    """Say which try of which task writes the checkpoint.

    :param process_start: when the process began, as the kernel counts it; tells a living owner
        from another process that got its number.
    :param nonce: tells two tries apart that share everything else.
    """

    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    try_number: int = 1
    host: str = ""
    pid: int = 0
    process_start: str = ""
    nonce: str = ""

    def __str__(self) -> str:
        """Return what a person needs to find the process."""
        return f"try {self.try_number} (process {self.pid} on {self.host or 'an unknown host'})"


ADOPTED = "?"
"""Stands before the digest of an upload that was found in the bucket: others may have begun it, with other headers."""


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """Remember a part that OSS acknowledged, with the CRC-64 of its bytes at the source."""

    number: int
    etag: str
    crc64: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Remember an upload in progress.

    :param options_digest: of the object headers given at Initiate; behind :data:`ADOPTED` those it should
        have been given.
    :param wrapped_key: of client-side encryption, in Base64, wrapped by the master key; with
        ``wrapped_start`` it lets the next try encrypt the other parts alike.
    :param resumes: how many tries continued this upload.
    :param started_at: epoch seconds of Initiate.
    :param updated_at: epoch seconds of this writing.
    """

    upload_id: str
    endpoint: str
    bucket: str
    key: str
    part_size: int
    options_digest: str
    source_uri: str
    fingerprint: Fingerprint
    owner: Owner
    parts: tuple[RecordedPart, ...] = ()
    bytes_done: int = 0
    wrapped_key: str = ""
    wrapped_start: str = ""
    resumes: int = 0
    started_at: float = 0.0
    updated_at: float = 0.0

    @property
    def is_adopted(self) -> bool:
        """Return whether the finished object's headers have to be looked at."""
        return self.options_digest.startswith(ADOPTED)


def encode(checkpoint: Checkpoint) -> str:
    """Return the text of a checkpoint."""
    content = {
        **{f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)},
        "fingerprint": asdict(checkpoint.fingerprint),
        "owner": asdict(checkpoint.owner),
        "parts": _pack(checkpoint.parts),
    }
    text = _canonical(content)
    return json.dumps({"schema": SCHEMA, "sha256": _digest(text), "content": content})


def decode(text: str) -> Checkpoint:
    """Return the checkpoint a text holds.

    :raises CheckpointError: it holds none, whatever it is; the error says why.
    """
    content = _checked_content(text)
    try:
        return Checkpoint(
            **{
                **_typed(content, Checkpoint),
                "fingerprint": Fingerprint(**_typed(content["fingerprint"], Fingerprint)),
                "owner": Owner(**_typed(content["owner"], Owner)),
                "parts": _unpack(content["parts"]),
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError, struct.error, binascii.Error) as error:
        raise CheckpointError(f"the checkpoint has an unexpected shape ({type(error).__name__}: {error})") from error


def _checked_content(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"the checkpoint is not JSON ({type(error).__name__})") from error
    if not isinstance(document, dict) or not isinstance(document.get("content"), dict):
        raise CheckpointError("the checkpoint is JSON but not one of ours")
    if document.get("schema") != SCHEMA:
        raise CheckpointError(f"the checkpoint has schema {document.get('schema')!r}, this version reads {SCHEMA}")
    content: dict[str, Any] = document["content"]
    try:
        intact = document.get("sha256") == _digest(_canonical(content))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the checkpoint is JSON beyond bounds ({type(error).__name__})") from error
    if not intact:
        raise CheckpointError("the checkpoint is damaged: its SHA-256 does not match")
    if not _PLAIN.fullmatch(str(content.get("upload_id"))):
        raise CheckpointError("the checkpoint names no upload")
    return content


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}


def _typed(content: Any, record: type[_Record]) -> dict[str, Any]:
    """Return the plain fields of a record, each of the type it is declared with."""
    plain = {f.name: _TYPES[str(f.type)] for f in fields(record) if str(f.type) in _TYPES}  # type: ignore[arg-type]
    for name, types in plain.items():
        value = content[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(f"{name} is {value!r:.40}")
    return {name: content[name] for name in plain}


def _pack(parts: Sequence[RecordedPart]) -> dict[str, Any]:
    ordered = sorted(parts, key=lambda part: part.number)
    etags = [part.etag for part in ordered]
    return {
        "numbers": _ranges([part.number for part in ordered]),
        # An ETag is an MD5 today; should OSS make it something else, it is kept as the text it is.
        "etags": _base64(bytes.fromhex("".join(etags))) if all(map(_is_md5, etags)) else etags,
        "crc64": _base64(struct.pack(f">{len(ordered)}Q", *(part.crc64 for part in ordered))),
    }


def _unpack(packed: Any) -> tuple[RecordedPart, ...]:
    numbers = _numbers(packed["numbers"])
    etags, crcs = packed["etags"], base64.b64decode(packed["crc64"], validate=True)
    if isinstance(etags, str):
        raw = base64.b64decode(etags, validate=True)
        etags = [raw[start : start + 16].hex().upper() for start in range(0, len(raw), 16)]
    if not len(numbers) == len(etags) == len(crcs) // 8:
        raise ValueError("parts of unequal length")
    if not all(isinstance(etag, str) and _PLAIN.fullmatch(etag) for etag in etags):
        raise TypeError("ETags are not plain text")
    values = struct.unpack(f">{len(numbers)}Q", crcs)
    return tuple(RecordedPart(*row) for row in zip(numbers, etags, values, strict=True))


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Return ascending numbers as [first, last] pairs."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _numbers(ranges: Any) -> list[int]:
    numbers: list[int] = []
    least = 1
    for first, last in ranges:
        # Ascending, so that no text, however forged, unfolds to more than 10,000 of them.
        if not (isinstance(first, int) and isinstance(last, int) and least <= first <= last <= limits.MAX_PART_NUMBER):
            raise ValueError(f"part numbers {first!r:.20} to {last!r:.20}")
        numbers.extend(range(first, last + 1))
        least = last + 1
    return numbers


def _is_md5(etag: str) -> bool:
    return len(etag) == 32 and _MD5_HEX.issuperset(etag)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
