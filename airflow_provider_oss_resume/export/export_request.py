"""The request for an export, and its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.cutter import Limits
from airflow_provider_oss_resume.export.exported_object import ExportedObject
from airflow_provider_oss_resume.export.formats.output import Output
from airflow_provider_oss_resume.export.formats.row_format import RowFormat
from airflow_provider_oss_resume.export.rows.row_source import Column
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.limits import MAX_PART_SIZE, MIN_PART_SIZE
from airflow_provider_oss_resume.upload.object_options import ObjectOptions

PART_FIELD = "{part}"
IF_EMPTY = ("write", "skip", "fail")
VERIFY_PREFIX = (None, "count", "hash")
MAX_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Describe the export of a query's result to one object or several.

    :param key: the object's key. With a split it holds ``{part}``, which becomes 00001, 00002 and so on.
    :param order_by: columns whose values together are a key of the result: the export resumes after the last
        one that is in the bucket.
    :param limits: how large parts and objects become.
    :param if_empty: what happens to a result without rows: ``write`` makes an object without rows, ``skip``
        makes none, ``fail`` fails the task.
    :param verify_prefix: whether a resumed export checks that the rows it does not read again have not
        changed: ``count`` counts them, ``hash`` reads them again and compares their CRC-64.
    :param max_concurrency: parts sent at the same time, at most.
    :param bandwidth_limit: bytes a second of all parts together, or a timetable; see
        :mod:`~airflow_provider_oss_resume.transfer.bandwidth`.
    :param callback_required: ``False`` turns the error of a callback that OSS could not make into a warning.
    :param options: headers of each object.
    :raises ConfigurationError: one of these cannot work.
    """

    bucket: str
    key: str
    output: Output = Output()  # noqa: RUF009 - frozen
    order_by: tuple[str, ...] = ()
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    if_empty: str = "write"
    verify_prefix: str | None = None
    max_concurrency: int = 4
    bandwidth_limit: int | str | None = None
    callback_required: bool = True
    options: ObjectOptions = ObjectOptions()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        require_bucket_name(self.bucket)
        require_key(self.key)
        if self.is_split != (PART_FIELD in self.key):
            raise ConfigurationError(
                f"key is {self.key!r:.80}: it must contain {PART_FIELD} if split_size or split_rows is set, else not"
            )
        _require_choice("if_empty", self.if_empty, IF_EMPTY)
        _require_choice("verify_prefix", self.verify_prefix, VERIFY_PREFIX)
        if self.verify_prefix and not self.order_by:
            raise ConfigurationError(
                "verify_prefix needs order_by, else all rows are read again: set order_by, or leave verify_prefix out"
            )
        _require_between("max_concurrency", self.max_concurrency, 1, MAX_CONCURRENCY)
        _require_between("part_size", self.limits.first_part_size, MIN_PART_SIZE, MAX_PART_SIZE // 32)
        for name in ("split_size", "split_rows"):
            if (value := getattr(self.limits, name)) is not None:
                _require_between(name, value, 1, 1 << 62)

    @property
    def is_split(self) -> bool:
        """Return whether the result becomes several objects."""
        return self.limits.split_size is not None or self.limits.split_rows is not None

    @property
    def cuts(self) -> Limits:
        """Return where the result is cut, with the row groups of Parquet."""
        is_parquet = self.output.file_format == "parquet"
        return replace(self.limits, row_group=self.output.parquet.row_group_size) if is_parquet else self.limits

    @property
    def copy_format(self) -> RowFormat:
        """Return how COPY encodes rows; ``split_size`` counts the bytes of the lines, so the server makes them."""
        return self.output.copy_format if self.limits.split_size is None else self.output.row_format

    def object_key(self, index: int) -> str:
        """Return the key of an object, counted from 0."""
        return self.key.replace(PART_FIELD, f"{index + 1:05d}")

    @property
    def manifest_key(self) -> str:
        """Return the key of the list of objects: what stands before ``{part}``, and ``.manifest.json``."""
        return self.key.partition(PART_FIELD)[0].rstrip("-_.") + ".manifest.json"

    def digest(self, identity: str, packer: str, columns: Sequence[Column]) -> str:
        """Return a hash of all that decides the bytes of the objects."""
        parts = [identity, packer, [asdict(column) for column in columns], asdict(self.cuts), self.bucket, self.key]
        text = json.dumps([*parts, self.output.row_format.name, self.order_by, self.options.digest(self.key)])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Describe what was exported.

    :param objects: in order; none if the result was empty and ``if_empty`` is ``skip``.
    :param bytes_raw: of all rows as they came from the source, before compression.
    :param bytes_sent: of the parts that this try sent.
    :param rows_reused: rows of parts that an earlier try had sent.
    """

    bucket: str
    objects: tuple[ExportedObject, ...]
    columns: tuple[Column, ...]
    parts_reused: int = 0
    rows_reused: int = 0
    bytes_sent: int = 0
    duration_s: float = 0.0
    manifest_key: str | None = None

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.objects)

    @property
    def resumed(self) -> bool:
        return self.parts_reused > 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom; a CRC-64 is a string, because JSON readers lose digits of such numbers."""
        objects = [one.as_dict() for one in self.objects]
        single = objects[0] if len(objects) == 1 else {}
        return {
            "bucket": self.bucket,
            "key": single.get("key"),
            "etag": single.get("etag"),
            "crc64": single.get("crc64"),
            "rows": self.rows,
            "size": sum(one.size for one in self.objects),
            "bytes_raw": sum(one.raw_size for one in self.objects),
            "parts": sum(one.parts for one in self.objects),
            "parts_reused": self.parts_reused,
            "rows_reused": self.rows_reused,
            "bytes_sent": self.bytes_sent,
            "resumed": self.resumed,
            "duration_s": round(self.duration_s, 3),
            "columns": [asdict(column) for column in self.columns],
            "objects": objects,
            "manifest_key": self.manifest_key,
        }


def _require_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise ConfigurationError(f"{name} is {value!r}: use one of {', '.join(map(repr, choices))}")


def _require_between(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}: it must be a whole number from {least} to {most}")
