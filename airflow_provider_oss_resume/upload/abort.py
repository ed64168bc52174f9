"""Throw an upload away, so that its parts are not billed for ever."""

from __future__ import annotations

import logging
import threading

from airflow_provider_oss_resume.exceptions import NoSuchUploadError, OSSResumeError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint

log = logging.getLogger(__name__)

ABORT_TIMEOUT = 2.0
"""Seconds: Airflow 3 kills the process 5 s after SIGTERM."""


def abort_in_time(client: OSSClient, checkpoint: Checkpoint) -> None:
    """Abort an upload in the little time a stopping process has; failing is told only.

    :param client: one that was not cancelled.
    """
    with client.fork() as own:
        thread = threading.Thread(target=abort_quietly, args=(own, checkpoint), name="oss-resume-abort", daemon=True)
        thread.start()
        thread.join(ABORT_TIMEOUT)
        if thread.is_alive():
            log.warning("no answer to aborting upload %s: its parts go on being billed", checkpoint.upload_id)
            own.cancel()


def abort_quietly(client: OSSClient, checkpoint: Checkpoint) -> None:
    """Abort the upload of a checkpoint; failing is told only."""
    try:
        client.abort_multipart_upload(checkpoint.bucket, checkpoint.key, checkpoint.upload_id)
        log.info("aborted upload %s of %s/%s", checkpoint.upload_id, checkpoint.bucket, checkpoint.key)
    except NoSuchUploadError:
        log.info("upload %s is gone already", checkpoint.upload_id)
    except OSSResumeError as error:
        log.warning("upload %s could not be aborted, its parts go on being billed: %s", checkpoint.upload_id, error)
