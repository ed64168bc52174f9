"""Uploads in progress whose last part is old.

OSS keeps and bills their parts until somebody completes or aborts the upload.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_oss_resume.exceptions import NoSuchUploadError, OSSResumeError
from airflow_provider_oss_resume.oss import MultipartUpload, OSSClient
from airflow_provider_oss_resume.oss.times import read_time

# Each round removes what arrived since the one before; after so many, somebody still sends.
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class StaleUpload:
    """Describe an upload in progress that may be aborted.

    :param size: bytes of the parts that OSS holds.
    :param last_activity: when it was initiated, or its last part arrived.
    """

    key: str
    upload_id: str
    parts: int
    size: int
    last_activity: datetime


def find_stale_uploads(
    client: OSSClient,
    bucket: str,
    prefix: str,
    older_than: timedelta,
    now: datetime,
    spared: Collection[str] = (),
) -> Iterator[StaleUpload]:
    """Yield the uploads in progress to which nothing was added for a time.

    :param older_than: the least time since an upload was initiated and since its last part arrived.
    :param spared: upload ids that are left out.
    """
    until = now - older_than
    for upload in client.list_multipart_uploads(bucket, prefix):
        # Parts are listed only where needed: it is a request for each upload.
        if upload.upload_id in spared or read_time(upload.initiated) >= until:
            continue
        found = _describe(client, bucket, upload)
        # The last part and not Initiate decides: an upload of a week may still be in progress.
        if found is not None and found.last_activity < until:
            yield found


def _describe(client: OSSClient, bucket: str, upload: MultipartUpload) -> StaleUpload | None:
    try:
        parts = list(client.list_parts(bucket, upload.key, upload.upload_id))
    except NoSuchUploadError:  # completed or aborted since it was listed
        return None
    moments = [read_time(upload.initiated), *(read_time(part.last_modified) for part in parts if part.last_modified)]
    return StaleUpload(upload.key, upload.upload_id, len(parts), sum(part.size for part in parts), max(moments))


def abort_upload(client: OSSClient, bucket: str, key: str, upload_id: str) -> None:
    """Abort an upload until OSS holds no part of it.

    A part that is on its way while the upload is aborted may be stored after it, and is billed
    then; the API reference asks to abort again.

    :raises OSSResumeError: parts keep arriving: somebody still sends them.
    """
    for _ in range(_ROUNDS):
        try:
            client.abort_multipart_upload(bucket, key, upload_id)
            next(client.list_parts(bucket, key, upload_id), None)
        except NoSuchUploadError:
            return
    raise OSSResumeError(
        f"upload {upload_id} of {bucket}/{key} still has parts after {_ROUNDS} aborts: another client is sending them"
    )
