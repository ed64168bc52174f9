"""Abort an upload, so that its parts are not billed any longer."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from airflow_provider_oss_resume.exceptions import NoSuchUploadError, OSSResumeError
from airflow_provider_oss_resume.oss import OSSClient

log = logging.getLogger(__name__)

ABORT_TIMEOUT = 1.5
"""Seconds to wait for the answer to an abort: part of what a stop may take (see control/cancel.py)."""


class Upload(Protocol):
    """What names an upload: a checkpoint or a destination."""

    @property
    def bucket(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def upload_id(self) -> str: ...


def abort_in_time(client: OSSClient, upload: Upload) -> None:
    """Abort an upload in the short time that a stopping process has; a failure is only logged.

    :param client: not cancelled.
    """
    # A fork: the request is cut after the timeout, and the caller's client goes on.
    with client.fork() as own:
        thread = threading.Thread(target=abort_quietly, args=(own, upload), name="oss-resume-abort", daemon=True)
        thread.start()
        # On a thread, because a request has no timeout as short as the time that is left.
        thread.join(ABORT_TIMEOUT)
        if thread.is_alive():
            log.warning("no reply to the abort of upload %s: its parts may still be billed", upload.upload_id)
            own.cancel()


def abort_quietly(client: OSSClient, upload: Upload) -> None:
    """Abort an upload; a failure is only logged."""
    try:
        client.abort_multipart_upload(upload.bucket, upload.key, upload.upload_id)
        log.info("aborted upload %s of %s/%s", upload.upload_id, upload.bucket, upload.key)
    except NoSuchUploadError:
        log.info("upload %s is already gone", upload.upload_id)
    except OSSResumeError as error:
        log.warning("upload %s could not be aborted; its parts are still billed: %s", upload.upload_id, error)
