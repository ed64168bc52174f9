"""The request for an upload whose parts arrive one after another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.transfer.bandwidth import parse_timetable
from airflow_provider_oss_resume.upload.object_options import ObjectOptions
from airflow_provider_oss_resume.upload.upload_request import MAX_CONCURRENCY, require_between


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Ask for a stream of parts to become one object.

    :param uri: name of the source in messages and checkpoints; holds no secret.
    :param identity: whatever decides the bytes of the stream, such as a query, its format and its compression. A
        checkpoint of another identity is not resumed. Only a hash of it is stored.
    :param max_concurrency: parts sent at the same time, at most; as many parts are held in memory.
    :param bandwidth_limit: bytes a second of all parts together, or a timetable; see
        :mod:`~airflow_provider_oss_resume.transfer.bandwidth`.
    :param compares_bytes: the caller makes all parts again after a crash, so parts that the bucket holds and the
        checkpoint does not record are compared too.
    :param callback_required: ``False`` turns the error of a callback that OSS could not make into a warning.
    :param options: the object's headers.
    :raises ConfigurationError: one of these cannot work.
    """

    uri: str
    bucket: str
    key: str
    identity: str = ""
    max_concurrency: int = 4
    bandwidth_limit: int | str | None = None
    callback_required: bool = True
    options: ObjectOptions = field(default_factory=ObjectOptions)
    compares_bytes: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is sent."""
        require_bucket_name(self.bucket)
        require_key(self.key)
        require_between("max_concurrency", self.max_concurrency, 1, MAX_CONCURRENCY)
        if self.bandwidth_limit is not None:
            parse_timetable(self.bandwidth_limit)
        if not isinstance(self.callback_required, bool):
            raise ConfigurationError(f"callback_required is {self.callback_required!r}: it must be True or False")

    def fingerprint_tag(self) -> str:
        """Return a hash of the identity."""
        return "stream:" + hashlib.sha256(self.identity.encode()).hexdigest()


def new_checkpoint(request: StreamRequest, endpoint: str, now: float) -> Checkpoint:
    """Return the checkpoint of a stream that begins, without an upload.

    :param endpoint: of the service.
    :param now: epoch seconds.
    """
    return Checkpoint(
        upload_id="",
        endpoint=endpoint,
        bucket=request.bucket,
        key=request.key,
        part_size=0,
        options_digest=request.options.digest(request.key),
        source_uri=request.uri,
        fingerprint=Fingerprint(0, request.fingerprint_tag()),
        owner=Owner(),
        started_at=now,
    )
