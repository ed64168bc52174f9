"""An OSS client that sends nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.models import MultipartUpload, ObjectInfo, Part, StoredObject
from airflow_provider_oss_resume.sources.part_body import PartBody


@dataclass
class ClientOfNothing:
    """An OSS client without a service: takes parts and throws them away.

    :ivar began_at: when each part began to be sent, in seconds of the steady clock, by number.
    """

    endpoint: str = "http://nowhere"
    parts: dict[int, Part] = field(default_factory=dict)
    began_at: dict[int, float] = field(default_factory=dict)

    def fork(self, **_: object) -> ClientOfNothing:
        return self

    def __enter__(self) -> ClientOfNothing:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cancel(self) -> None:
        pass

    def check_cancelled(self) -> None:
        pass

    def unsent(self) -> int:
        return 0

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def list_multipart_uploads(self, bucket: str, prefix: str) -> Iterable[MultipartUpload]:
        return ()

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Iterable[Part]:
        return [self.parts[number] for number in sorted(self.parts)]

    def initiate_multipart_upload(self, bucket: str, key: str, headers: Mapping[str, str], **_: object) -> str:
        return "upload"

    def upload_part(self, bucket: str, key: str, upload_id: str, number: int, body: PartBody, headers: object) -> Part:
        self.began_at[number] = time.monotonic()
        for _block in body:
            pass
        self.parts[number] = Part(number, len(body), "ETAG", body.crc64)
        return self.parts[number]

    def complete_multipart_upload(
        self, bucket: str, key: str, upload_id: str, parts: Iterable[Part], headers: object
    ) -> StoredObject:
        return StoredObject("ETAG", self._crc64())

    def head_object(self, bucket: str, key: str) -> ObjectInfo:
        size = sum(part.size for part in self.parts.values())
        return ObjectInfo(size, "ETAG", self._crc64(), "", "", "Multipart", "Standard")

    def _crc64(self) -> int:
        return combine_all((self.parts[number].crc64 or 0, self.parts[number].size) for number in sorted(self.parts))
