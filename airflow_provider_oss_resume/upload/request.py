"""What an upload is asked to do, and what it did."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.oss.encryption import MasterKey
from airflow_provider_oss_resume.upload.bandwidth import parse_timetable
from airflow_provider_oss_resume.upload.options import ObjectOptions
from airflow_provider_oss_resume.upload.planner import DEFAULT_MULTIPART_THRESHOLD, require_part_size
from airflow_provider_oss_resume.upload.source import LocalFile, Source

MAX_CONCURRENCY = 256
_USUAL = ObjectOptions()  # once: to look through them for mistakes takes a tenth of a small file's time

_RESULT_KEYS = frozenset(
    """
    bucket key size etag crc64 parts parts_reused bytes_sent bytes_reused resumed duration_s upload_id
    """.split()
)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """Ask for one source to become one object.

    :param source: path of a local file, or any :class:`~.source.Source`.
    :param part_size: bytes of a part, 100 KiB to 5 GiB; chosen from the source's size if ``None``.
    :param max_concurrency: parts sent at the same time, at most; how many pay is found out.
    :param multipart_threshold: sources below this many bytes go by one PutObject.
    :param sequential: send one part after the other, so that the finished object carries Content-MD5.
    :param bandwidth_limit: bytes a second of all threads together, or a timetable; see :mod:`.bandwidth`.
    :param verify_resume: read kept parts again to prove them. ``False`` trusts those whose record,
        listing and file times agree, which saves reading and misses an edit that kept size and times.
    :param adopt_uploads: without a usable checkpoint, look in the bucket for an upload of this key that
        nobody finished, and go on with it where its parts are the source's.
    :param upload_id: of an upload of this key to go on with where there is no usable checkpoint; begun
        by anybody.
    :param callback_required: ``False`` makes a callback that OSS could not make a warning.
    :param master_key: encrypts the object on this side, as the official SDKs do; not with ``upload_id``.
    :param options: what the object shall be.
    :raises ConfigurationError: one of these cannot work.
    """

    source: str | os.PathLike[str] | Source
    bucket: str
    key: str
    part_size: int | None = None
    max_concurrency: int = 16
    multipart_threshold: int = DEFAULT_MULTIPART_THRESHOLD
    sequential: bool = False
    bandwidth_limit: int | str | None = None
    verify_resume: bool = True
    adopt_uploads: bool = True
    upload_id: str | None = None
    callback_required: bool = True
    master_key: MasterKey | None = None
    options: ObjectOptions = _USUAL

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is opened or sent."""
        require_bucket_name(self.bucket)
        require_key(self.key)
        if self.part_size is not None:
            require_part_size(self.part_size)
        _require_kinds(self)
        if self.master_key is not None:
            self._require_encryptable()
        _require_between("max_concurrency", self.max_concurrency, 1, MAX_CONCURRENCY)
        _require_between("multipart_threshold", self.multipart_threshold, 0, limits.MAX_PUT_SIZE)
        if self.bandwidth_limit is not None:
            parse_timetable(self.bandwidth_limit)
        if not self.source:
            raise ConfigurationError("no source: give the path of the file to upload")
        if not isinstance(self.source, (str, os.PathLike)) and not hasattr(self.source, "open"):
            raise ConfigurationError(f"source is {self.source!r:.60}: give the path of the file to upload")

    def _require_encryptable(self) -> None:
        if not all(hasattr(self.master_key, name) for name in ("wrap", "unwrap", "wrap_algorithm", "description")):
            kind = type(self.master_key).__name__  # and not shown: it may be the key itself
            raise ConfigurationError(
                f"client-side encryption is given a {kind}: give an RSAMasterKey or a KMSMasterKey"
            )
        if self.part_size and self.part_size % 16:
            raise ConfigurationError(
                f"part_size {self.part_size} is no multiple of 16, as client-side encryption needs"
            )
        if self.upload_id:
            raise ConfigurationError(
                f"upload_id {self.upload_id!r:.60} with client-side encryption: the key of an upload that others began "
                "is not at hand; leave upload_id out to start afresh"
            )

    def digest(self) -> str:
        """Return a hash of what is fixed at Initiate: an upload begun otherwise cannot be continued."""
        described = self.master_key.description if self.master_key is not None else ""
        return "".join(
            (
                self.options.digest(self.key),
                "-sequential" if self.sequential else "",
                # Initiate and every part carry it, and OSS refuses parts that carry another.
                f"-{hashlib.sha256(described.encode()).hexdigest()[:16]}" if described else "",
            )
        )

    def as_source(self) -> Source:
        """Return the source; a path is that of a local file."""
        return LocalFile(self.source) if isinstance(self.source, (str, os.PathLike)) else self.source


@dataclass(frozen=True, slots=True)
class UploadResult:
    """Say what was done; every number is of this try alone unless it says otherwise.

    :param crc64: of the whole object, equal at the source and in OSS.
    :param parts: of the object; 0 if it went by one PutObject.
    :param parts_reused: parts that an earlier try had sent and this one proved.
    :param parts_retried: attempts to send a part beyond its first.
    :param bytes_sent: bytes put on the wire, repeated attempts included.
    :param resumed: whether an earlier try's work was used.
    :param recovered: whether it was found in the bucket, without a checkpoint.
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
    recovered: bool = False
    duration_s: float = 0.0
    upload_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom; the CRC-64 as text, because JSON readers lose digits of such numbers."""
        values = {name: value for name, value in asdict(self).items() if name in _RESULT_KEYS}
        return {**values, "crc64": str(self.crc64), "duration_s": round(self.duration_s, 3)}


def _require_kinds(request: UploadRequest) -> None:
    for name in ("sequential", "verify_resume", "adopt_uploads", "callback_required"):
        if not isinstance(getattr(request, name), bool):  # the text "False" is true
            raise ConfigurationError(f"{name} is {getattr(request, name)!r}: give True or False")
    if not isinstance(request.options, ObjectOptions):
        raise ConfigurationError(f"options is {request.options!r:.60}: give ObjectOptions(...)")


def _require_between(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}: give a whole number from {least} to {most}")
