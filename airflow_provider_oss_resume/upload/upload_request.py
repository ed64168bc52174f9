"""The request to upload one source, and the result."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import IO, Any, cast

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey
from airflow_provider_oss_resume.sources.byte_stream import ByteStream, stream_of
from airflow_provider_oss_resume.sources.layout import DEFAULT_MULTIPART_THRESHOLD, require_part_size
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.sources.spool import SpoolLimits
from airflow_provider_oss_resume.transfer.bandwidth import parse_timetable
from airflow_provider_oss_resume.transfer.counts import TransferCounts
from airflow_provider_oss_resume.upload.destination_key import resolve_destination
from airflow_provider_oss_resume.upload.if_exists import IfExists
from airflow_provider_oss_resume.upload.object_options import ObjectOptions

MAX_CONCURRENCY = 256
_USUAL = ObjectOptions()  # made once: checking them takes a tenth of the time of a small file

_RESULT_KEYS = frozenset(
    """
    bucket key size etag crc64 parts parts_reused bytes_sent bytes_reused resumed skipped duration_s upload_id
    """.split()
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """Describe the upload of one source to one object.

    :param source: path of a local file or of a named pipe, any :class:`~.source.Source`, or a stream: an iterator of
        bytes, or a binary file object, which need not have ``seek()``.
    :param bucket: the bucket's name.
    :param key: the object's key, or ``oss://bucket/key``. The file name of a path is appended to a key that
        ends in ``/``; read :attr:`key` for the result.
    :param part_size: bytes of a part, 100 KiB to 5 GiB; chosen from the source's size if ``None``.
    :param max_concurrency: largest number of parts sent at the same time. The number adapts to the throughput.
    :param multipart_threshold: sources below this number of bytes are stored by one PutObject.
    :param sequential: send one part after the other, so that the object has Content-MD5.
    :param bandwidth_limit: bytes per second of all sender threads together, or a timetable; see :mod:`.bandwidth`.
    :param verify_resume: read kept parts again to verify them. ``False`` trusts those whose record, listing and file
        times agree, which saves reading and misses an edit that kept size and times.
    :param check_times: use the file's times to detect an edit. ``False`` is for volumes that change the times of files
        that nobody edited: kept parts are always re-hashed, and the whole file is read once more before Complete.
        Not with ``verify_resume=False`` or ``master_key``; for a path, else see :class:`~.local_file.LocalFile`.
    :param adopt_uploads: without a usable checkpoint, look for an upload of this key in progress in the bucket, and
        resume it if its parts equal the source's.
    :param upload_id: id of an upload of this key to resume if there is no usable checkpoint; any client may have
        started it.
    :param callback_required: ``False``: a failed callback is a warning.
    :param master_key: encrypts the object before it is sent, as the official SDKs do; not with ``upload_id``.
    :param options: the object's headers.
    :param if_exists: what to do if the object exists; with ``FAIL`` and ``SKIP`` OSS refuses to overwrite it.
        ``SKIP_SAME`` and ``FAIL`` accept an object of the source's size and CRC-64.
    :param spool: bounds the bytes of a stream that wait to be sent.
    :raises ConfigurationError: a value is wrong.
    """

    source: str | os.PathLike[str] | Source | ByteStream | IO[bytes] | Iterable[bytes]
    bucket: str
    key: str
    part_size: int | None = None
    max_concurrency: int = 16
    multipart_threshold: int = DEFAULT_MULTIPART_THRESHOLD
    sequential: bool = False
    bandwidth_limit: int | str | None = None
    verify_resume: bool = True
    check_times: bool = True
    adopt_uploads: bool = True
    upload_id: str | None = None
    callback_required: bool = True
    master_key: MasterKey | None = None
    options: ObjectOptions = _USUAL
    if_exists: IfExists = IfExists.OVERWRITE
    spool: SpoolLimits = SpoolLimits()  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        """Resolve the key and refuse what cannot work, before anything is opened or sent."""
        if isinstance(self.source, (str, os.PathLike)):
            bucket, key = resolve_destination(require_key(self.key), self.bucket, os.fsdecode(self.source))
            object.__setattr__(self, "bucket", bucket)  # the dataclass is frozen for everybody else
            object.__setattr__(self, "key", key)
        require_bucket_name(self.bucket)
        require_key(self.key)
        if self.part_size is not None:
            require_part_size(self.part_size)
        _require_kinds(self)
        if self.master_key is not None:
            self._require_encryptable()
        self._apply_if_exists()
        # Either says so: the request of a path, or a LocalFile that was made with check_times=False.
        if not (self.check_times and getattr(self.source, "check_times", True)):
            self._require_comparable()
        require_between("max_concurrency", self.max_concurrency, 1, MAX_CONCURRENCY)
        require_between("multipart_threshold", self.multipart_threshold, 0, limits.MAX_PUT_SIZE)
        if self.bandwidth_limit is not None:
            parse_timetable(self.bandwidth_limit)
        if not self.source:
            raise ConfigurationError("source is empty: it must be the path of the file to upload")
        if (
            self.as_stream() is None
            and not isinstance(self.source, (str, os.PathLike))
            and not hasattr(self.source, "open")
        ):
            raise ConfigurationError(f"source is {self.source!r:.60}: give the path of the file to upload")

    def _apply_if_exists(self) -> None:
        if self.if_exists in (IfExists.FAIL, IfExists.SKIP) and self.options.replace:
            object.__setattr__(self, "options", replace(self.options, replace=False))
        if self.if_exists in (IfExists.FAIL, IfExists.SKIP_SAME) and self.master_key is not None:
            raise ConfigurationError(
                f"if_exists={self.if_exists.value!r} with client-side encryption: equal contents have other bytes in "
                "each object, so they cannot be compared; use 'overwrite' or 'skip'"
            )

    def _require_encryptable(self) -> None:
        if not all(hasattr(self.master_key, name) for name in ("wrap", "unwrap", "wrap_algorithm", "description")):
            kind = type(self.master_key).__name__  # the value is not shown: it may be the key itself
            raise ConfigurationError(f"master_key is a {kind}: it must be an RSAMasterKey or a KMSMasterKey")
        if self.part_size and self.part_size % 16:
            raise ConfigurationError(f"part_size {self.part_size} must be a multiple of 16 for client-side encryption")
        if self.upload_id:
            raise ConfigurationError(
                f"upload_id {self.upload_id!r:.60} with client-side encryption: its data key is unknown; "
                "leave upload_id out to start a new upload"
            )

    def _require_comparable(self) -> None:
        """Refuse options that need the times of the source when ``check_times`` is off."""
        if self.master_key is not None:
            raise ConfigurationError(
                "check_times=False (check_source_times of the operator) with client-side encryption: one data key must "
                "not encrypt two contents, and only the times show an edit before its bytes are sent; leave one of the "
                "two out"
            )
        if not self.verify_resume:
            raise ConfigurationError(
                "check_times=False (check_source_times of the operator) with verify_resume=False: without times only a "
                "re-hash shows that a kept part has the bytes of the source; leave one of the two out"
            )
        if not isinstance(self.source, (str, os.PathLike)) and getattr(self.source, "check_times", True):
            raise ConfigurationError(
                "check_times=False with a source that is not a path: give LocalFile(path, check_times=False) as source"
            )

    def digest(self) -> str:
        """Return a hash of what is fixed at Initiate: an upload with another hash cannot be resumed."""
        described = self.master_key.description if self.master_key is not None else ""
        return "".join(
            (
                self.options.digest(self.key),
                "-sequential" if self.sequential else "",
                # Initiate and every part carry it; OSS refuses parts with another one.
                f"-{hashlib.sha256(described.encode()).hexdigest()[:16]}" if described else "",
            )
        )

    def as_source(self) -> Source:
        """Return the source; a path names a local file."""
        if isinstance(self.source, (str, os.PathLike)):
            return LocalFile(self.source, check_times=self.check_times)
        return cast("Source", self.source)

    def as_stream(self) -> ByteStream | None:
        """Return the source as a stream; ``None`` if it has ranges."""
        return stream_of(self.source)


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What a try did; the numbers count this try alone unless stated otherwise.

    :param crc64: of the whole object, equal at the source and in OSS.
    :param parts: of the object; 0 if it was stored by one PutObject.
    :param parts_reused: parts that this try did not send, and verified.
    :param parts_sent: parts that this try has sent, to an upload that is gone as well; each counts once.
    :param parts_retried: attempts to send a part beyond its first.
    :param bytes_sent: bytes sent, repeated attempts included.
    :param resumed: parts of an earlier try were used.
    :param skipped: nothing was sent: the object existed, and ``if_exists`` lets it stay.
    :param recovered: the upload was found in the bucket, without a checkpoint.
    :param upload_id: of the multipart upload; empty if there was none.
    """

    bucket: str
    key: str
    size: int
    etag: str
    crc64: int
    parts: int = 0
    parts_reused: int = 0
    parts_sent: int = 0
    parts_retried: int = 0
    bytes_sent: int = 0
    bytes_reused: int = 0
    resumed: bool = False
    skipped: bool = False
    recovered: bool = False
    duration_s: float = 0.0
    upload_id: str = ""

    @property
    def counts(self) -> TransferCounts:
        """Return what the try sent and reused."""
        return TransferCounts(
            self.bytes_sent, self.bytes_reused, self.parts_sent, self.parts_reused, self.parts_retried
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom; the CRC-64 as text, because JSON readers lose digits of such numbers."""
        values = {name: value for name, value in asdict(self).items() if name in _RESULT_KEYS}
        return {**values, "crc64": str(self.crc64), "duration_s": round(self.duration_s, 3)}


def _require_kinds(request: UploadRequest) -> None:
    for name in ("sequential", "verify_resume", "check_times", "adopt_uploads", "callback_required"):
        if not isinstance(getattr(request, name), bool):  # the string "False" is true
            raise ConfigurationError(f"{name} is {getattr(request, name)!r}: it must be True or False")
    if not isinstance(request.upload_id, (str, type(None))):
        raise ConfigurationError(f"upload_id is {request.upload_id!r:.60}: it must be a string")
    if not isinstance(request.options, ObjectOptions):
        raise ConfigurationError(f"options is {request.options!r:.60}: it must be ObjectOptions(...)")


def require_between(name: str, value: object, least: int, most: int) -> None:
    """Raise :class:`ConfigurationError` unless a value is a whole number within bounds."""
    # True is an int: max_concurrency=True would be one part at a time.
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}: it must be a whole number from {least} to {most}")
