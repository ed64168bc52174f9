"""The checkpoint and its text form; pure.

A checkpoint is a hint: it names the upload whose parts the bucket lists. It records parts too, so that a RAM user who
may not list parts can resume. It is JSON with a schema number and a SHA-256 over its content: a damaged
checkpoint is detected and treated like a lost one.

Schema 1 is that of version 0.1.0. Schema 2 adds the length, the raw CRC-64 and the note of each part; it is written
only for uploads whose parts have unequal lengths, so that workers of both versions can share a store.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from airflow_provider_oss_resume.checkpoint.packed_parts import (
    PLAIN,
    RecordedPart,
    pack,
    pack_recorded,
    unpack,
    unpack_recorded,
)
from airflow_provider_oss_resume.checkpoint.status_line import status_line
from airflow_provider_oss_resume.exceptions import CheckpointError
from airflow_provider_oss_resume.sources.source import Fingerprint

EQUAL_PARTS, RECORDED_PARTS = 1, 2
"""Schema numbers."""

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class OwnerProcess:
    """The process of a try; the uploader fills it in.

    :param process_start: start time in clock ticks since boot; distinguishes it from a later process with the same
        process id.
    :param nonce: distinguishes two tries that are equal otherwise.
    """

    host: str = ""
    pid: int = 0
    process_start: str = ""
    nonce: str = ""

    def has_place_of(self, other: OwnerProcess) -> bool:
        """Return whether host and process id are those of another one."""
        return (self.host, self.pid) == (other.host, other.pid)

    def ended(self) -> OwnerProcess:
        """Return the process as one that nobody waits for: ``is_alive`` takes it for ended without a start time."""
        return replace(self, process_start="")

    def __str__(self) -> str:
        """Return process id and host, for messages."""
        return f"process {self.pid} on {self.host or 'an unknown host'}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The try of a task that writes the checkpoint."""

    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1
    try_number: int = 1
    process: OwnerProcess = OwnerProcess()

    def __str__(self) -> str:
        """Return the try and its process, for messages."""
        return f"try {self.try_number} ({self.process})"


ADOPTED = "?"
"""Prefix of the digest of an adopted upload: another client may have started it, with other headers."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An upload in progress.

    :param part_size: bytes of each part but the last; 0 where each part records its length.
    :param options_digest: digest of the object headers sent with Initiate. After :data:`ADOPTED`, of the headers that
        should have been sent.
    :param wrapped_key: data key of client-side encryption, in Base64, wrapped by the master key. With
        ``wrapped_start``, the next try encrypts the other parts with the same key.
    :param resumes: number of tries that resumed this upload.
    :param started_at: epoch seconds of Initiate.
    :param updated_at: epoch seconds of this write.
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
        """Return whether the headers of the finished object have to be checked."""
        return self.options_digest.startswith(ADOPTED)


def encode(checkpoint: Checkpoint) -> str:
    """Return the text of a checkpoint; it begins with a line for people, which :func:`decode` ignores."""
    content = {
        **{f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)},
        "fingerprint": asdict(checkpoint.fingerprint),
        "owner": _owner_content(checkpoint.owner),
        "parts": pack(checkpoint.parts) if checkpoint.part_size else pack_recorded(checkpoint.parts),
    }
    text = _canonical(content)
    schema = EQUAL_PARTS if checkpoint.part_size else RECORDED_PARTS
    return json.dumps({"status": _status(checkpoint), "schema": schema, "sha256": _digest(text), "content": content})


def _owner_content(owner: Owner) -> dict[str, Any]:
    # Flat, as version 0.1.0 reads it.
    values = asdict(owner)
    process = values.pop("process")
    return {**values, **process}


def _owner(content: Any) -> Owner:
    return Owner(**_typed(content, Owner), process=OwnerProcess(**_typed(content, OwnerProcess)))


def _status(checkpoint: Checkpoint) -> str:
    acknowledged = sum(1 for part in checkpoint.parts if part.etag)
    size, owner = checkpoint.fingerprint.size, checkpoint.owner
    return status_line(acknowledged, checkpoint.bytes_done, size, checkpoint.started_at, owner.try_number)


def decode(text: str) -> Checkpoint:
    """Return the checkpoint of a text.

    :raises CheckpointError: the text is not a checkpoint, whatever it is.
    """
    content = _checked_content(text)
    try:
        return Checkpoint(
            **{
                **_typed(content, Checkpoint),
                "fingerprint": Fingerprint(**_typed(content["fingerprint"], Fingerprint)),
                "owner": _owner(content["owner"]),
                "parts": unpack(content["parts"]) if content["part_size"] else unpack_recorded(content["parts"]),
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
        raise CheckpointError("the checkpoint is JSON without a content")
    if document.get("schema") not in (EQUAL_PARTS, RECORDED_PARTS):
        raise CheckpointError(f"the checkpoint has schema {document.get('schema')!r}, this version reads 1 and 2")
    content: dict[str, Any] = document["content"]
    try:
        intact = document.get("sha256") == _digest(_canonical(content))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the checkpoint has a value that cannot be hashed ({type(error).__name__})") from error
    if not intact:
        raise CheckpointError("the checkpoint is damaged: its SHA-256 does not match")
    if not PLAIN.fullmatch(str(content.get("upload_id"))):
        raise CheckpointError("the checkpoint names no upload")
    return content


def _canonical(content: Mapping[str, Any]) -> str:
    # One spelling: the digest is over it, and a store may hand the JSON back in another order.
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}


def _typed(content: Any, record: type[_Record]) -> dict[str, Any]:
    """Return the plain fields of a record, each of its declared type."""
    # f.type is text, because the modules of all records have postponed annotations.
    plain = {f.name: _TYPES[str(f.type)] for f in fields(record) if str(f.type) in _TYPES}  # type: ignore[arg-type]
    for name, types in plain.items():
        value = content[name]
        # True is an int in Python, and no number of a checkpoint.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError(f"{name} is {value!r:.40}")
    return {name: content[name] for name in plain}
