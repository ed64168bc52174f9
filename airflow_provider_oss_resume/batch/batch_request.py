"""What an upload of many files is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.sources.layout import DEFAULT_MULTIPART_THRESHOLD
from airflow_provider_oss_resume.sources.selection import Selection
from airflow_provider_oss_resume.sources.source import Source
from airflow_provider_oss_resume.transfer.bandwidth import alone
from airflow_provider_oss_resume.upload.if_exists import IfExists
from airflow_provider_oss_resume.upload.upload_request import MAX_CONCURRENCY, UploadRequest


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What all files share.

    :param max_concurrency: requests in flight at the same time, of files and parts together.
    :param multipart_threshold: files below this many bytes are small: they go by one PutObject.
    :param bandwidth_limit: bytes a second of all threads together, or a timetable; see :mod:`.bandwidth`.
    :param shared_by: returns how many processes share ``bandwidth_limit`` at present.
    """

    max_concurrency: int = 16
    multipart_threshold: int = DEFAULT_MULTIPART_THRESHOLD
    bandwidth_limit: int | str | None = None
    shared_by: Callable[[], int] = alone

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not 1 <= self.max_concurrency <= MAX_CONCURRENCY:
            raise ConfigurationError(
                f"max_concurrency is {self.max_concurrency!r}: give a whole number from 1 to {MAX_CONCURRENCY}"
            )


@dataclass(frozen=True, slots=True)
class BatchOutput:
    """What is written beside the objects once all of them are there.

    :param manifest_key: key of a list of all files in JSON Lines (source, key, size, crc64, etag); ``None``: no list.
    :param success_key: key of an empty object that is written last; ``None``: no object.
    :param results_limit: results of single files in the result of the batch, at most.
    """

    manifest_key: str | None = None
    success_key: str | None = None
    results_limit: int = 100

    def __post_init__(self) -> None:
        """Refuse one key for two objects."""
        if self.manifest_key and self.manifest_key == self.success_key:
            raise ConfigurationError(
                f"manifest_key {self.manifest_key!r} is the key of _SUCCESS too: choose another one"
            )

    def require_free(self, is_taken: Callable[[str], bool]) -> None:
        """Refuse the key of a file for what is written beside the files.

        :param is_taken: returns whether a file has a key.
        :raises ConfigurationError: a file has the key of the manifest or of ``_SUCCESS``.
        """
        for name, key in (("manifest_key", self.manifest_key), ("success_key", self.success_key)):
            if key and is_taken(key):
                raise ConfigurationError(f"{name} {key!r} is the key of a file too: choose another one")


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Ask for many sources to become objects of one bucket.

    :param selection: the sources.
    :param keys: makes the key of each source.
    :param request_for: returns the request of one file, given its source and key; its bucket is ``bucket``.
    :param if_exists: what to do with a file whose object exists; with ``SKIP_SAME`` a retry sends what is missing.
    :param allow_empty: an empty selection is a success.
    """

    selection: Selection
    bucket: str
    keys: KeyTemplate
    request_for: Callable[[Source, str], UploadRequest]
    if_exists: IfExists = IfExists.SKIP_SAME
    limits: BatchLimits = field(default_factory=BatchLimits)
    output: BatchOutput = field(default_factory=BatchOutput)
    allow_empty: bool = False
