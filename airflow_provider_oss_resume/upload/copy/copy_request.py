"""Ask for an object to be copied inside OSS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.oss.addressing import require_bucket_name, require_key
from airflow_provider_oss_resume.sources.layout import require_part_size
from airflow_provider_oss_resume.upload.if_exists import IfExists
from airflow_provider_oss_resume.upload.object_options import ObjectOptions
from airflow_provider_oss_resume.upload.upload_request import MAX_CONCURRENCY, require_between

SCHEME = "oss://"


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """Ask for an object to become another one in the same region.

    :param source: ``oss://bucket/key``.
    :param bucket: of the new object.
    :param key: of the new object.
    :param part_size: bytes of a part; default: at least 128 MiB.
    :param max_concurrency: parts copied at the same time.
    :param copy_threshold: objects up to this many bytes are copied by one CopyObject, 1 GiB at most.
    :param options: headers of the new object. Without any, a CopyObject keeps those of the source; a copy in parts has
        the content type of its key.
    :param if_exists: what to do where the new object exists; with ``FAIL`` and ``SKIP`` OSS refuses to overwrite it.
        ``SKIP_SAME`` and ``FAIL`` accept an object of the source's size and CRC-64.
    :raises ConfigurationError: one of these cannot work.
    """

    source: str
    bucket: str
    key: str
    part_size: int | None = None
    max_concurrency: int = 16
    copy_threshold: int = limits.MAX_COPY_SIZE
    options: ObjectOptions = field(default_factory=ObjectOptions)
    if_exists: IfExists = IfExists.OVERWRITE

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is sent."""
        bucket, key = self.location
        require_bucket_name(bucket)
        require_key(key)
        require_bucket_name(self.bucket)
        require_key(self.key)
        if (bucket, key) == (self.bucket, self.key):
            raise ConfigurationError(f"source {self.source!r} is the object itself: write another key")
        if self.part_size is not None:
            require_part_size(self.part_size)
        require_between("max_concurrency", self.max_concurrency, 1, MAX_CONCURRENCY)
        require_between("copy_threshold", self.copy_threshold, 0, limits.MAX_COPY_SIZE)
        if self.if_exists in (IfExists.FAIL, IfExists.SKIP) and self.options.replace:
            object.__setattr__(self, "options", replace(self.options, replace=False))  # frozen for everybody else

    @property
    def location(self) -> tuple[str, str]:
        """Return bucket and key of the source."""
        bucket, _, key = self.source.removeprefix(SCHEME).partition("/")
        return bucket, key
