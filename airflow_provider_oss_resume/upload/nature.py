"""What an upload that others began turns out to be, once a part is sent.

Whether it is sequential, or encrypted by its client, cannot be asked for: only
OSS's answers to its parts tell. Every later try would find the upload and fail
likewise, so such an answer is a finding and not the end of the try.
"""

from __future__ import annotations

from enum import Enum

from airflow_provider_oss_resume.exceptions import ServiceError


class Nature(Enum):
    """Name what was found, by the code of the answer."""

    IN_ORDER = "PartNotSequential"
    IN_ORDER_AND_OTHER = "PartAlreadyExist"
    ENCRYPTED = "InvalidEncryptionRequest"


def nature_of(error: BaseException, *, adopted: bool) -> Nature | None:
    """Return what an error tells of an upload.

    :param adopted: whether others may have begun it; of our own it tells nothing new.
    """
    code = error.code if adopted and isinstance(error, ServiceError) else ""
    return next((nature for nature in Nature if nature.value == code), None)
