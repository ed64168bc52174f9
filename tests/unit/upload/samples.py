"""Values that many tests of the engine start from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from airflow_provider_oss_resume.checkpoint.packed_parts import RecordedPart
from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner, OwnerProcess
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.upload.target import Target

MIB = 1024 * 1024
PART_SIZE = MIB
SIZE = 5 * MIB + 7
PLAN = PartPlan(SIZE, PART_SIZE)
FINGERPRINT = Fingerprint(SIZE, "then")
OWNER = Owner("dag", "run", "task", -1, 1, OwnerProcess("host", 1, "1", "nonce"))
TARGET = Target("examplebucket", "a.csv", PLAN, "digest", FINGERPRINT)


def content_of(number: int, version: int = 0) -> bytes:
    """Return a part's bytes; each version has others."""
    block = hashlib.sha256(f"{number}/{version}".encode()).digest() * 32
    length = PLAN.part(number).length
    return (block * (length // len(block) + 1))[:length]


def part(number: int, version: int = 0) -> Part:
    """Return a part as the bucket lists it."""
    content = content_of(number, version)
    return Part(number, len(content), hashlib.md5(content).hexdigest().upper(), crc64(content))


def record(number: int, version: int = 0) -> RecordedPart:
    """Return a part as the checkpoint records it."""
    found = part(number, version)
    return RecordedPart(number, found.etag, found.crc64 or 0)


def checkpoint_of(numbers: Iterable[int] = (), **changes: object) -> Checkpoint:
    """Return a checkpoint of :data:`TARGET` that records these parts."""
    values: dict[str, object] = {
        "upload_id": "UPLOAD",
        "endpoint": "https://oss-cn-hangzhou.aliyuncs.com",
        "bucket": TARGET.bucket,
        "key": TARGET.key,
        "part_size": PART_SIZE,
        "options_digest": TARGET.options_digest,
        "source_uri": "file:///exports/a.csv",
        "fingerprint": FINGERPRINT,
        "owner": OWNER,
        "parts": tuple(record(number) for number in numbers),
        "bytes_done": sum(PLAN.part(number).length for number in numbers),
        "started_at": 1_700_000_000.0,
        "updated_at": 1_700_000_100.5,
    }
    return Checkpoint(**{**values, **changes})  # type: ignore[arg-type]
