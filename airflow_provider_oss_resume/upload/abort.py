"""Throw an upload away, so that its parts are not billed for ever."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from airflow_provider_oss_resume.exceptions import NoSuchUploadError, OSSResumeError
from airflow_provider_oss_resume.oss import OSSClient

log = logging.getLogger(__name__)

ABORT_TIMEOUT = 1.5
"""Seconds: Airflow 3 kills the process 5 s after SIGTERM."""


class Upload(Protocol):
    """What names an upload: a checkpoint, or where parts are sent."""

    @property
    def bucket(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def upload_id(self) -> str: ...


def abort_in_time(client: OSSClient, upload: Upload) -> None:
    """Abort an upload in the little time a stopping process has; failing is told only.

    :param client: one that was not cancelled.
    """
    with client.fork() as own:
        thread = threading.Thread(target=abort_quietly, args=(own, upload), name="oss-resume-abort", daemon=True)
        thread.start()
        thread.join(ABORT_TIMEOUT)
        if thread.is_alive():
            log.warning("no answer to aborting upload %s: its parts go on being billed", upload.upload_id)
            own.cancel()


def abort_quietly(client: OSSClient, upload: Upload) -> None:
    """Abort an upload; failing is told only."""
    try:
        client.abort_multipart_upload(upload.bucket, upload.key, upload.upload_id)
        log.info("aborted upload %s of %s/%s", upload.upload_id, upload.bucket, upload.key)
    except NoSuchUploadError:
        log.info("upload %s is gone already", upload.upload_id)
    except OSSResumeError as error:
        log.warning("upload %s could not be aborted, its parts go on being billed: %s", upload.upload_id, error)
