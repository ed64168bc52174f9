"""Properties of an upload of another client that only the reply to a part shows.

OSS does not report whether an upload is sequential, and not always whether its client encrypts it; the replies to its
parts do. Every later try would find the same upload and fail in the same way, so such a reply changes the decision
instead of ending the try.
"""

from __future__ import annotations

from enum import Enum

from airflow_provider_oss_resume.exceptions import ServiceError


class ForeignUpload(Enum):
    """The kinds of uploads, by the error code of the reply."""

    SEQUENTIAL = "PartNotSequential"
    SEQUENTIAL_WITH_OTHER_BYTES = "PartAlreadyExist"
    ENCRYPTED = "InvalidEncryptionRequest"


def foreign_upload_of(error: BaseException, *, adopted: bool) -> ForeignUpload | None:
    """Return what an error says about an upload.

    :param adopted: another client may have started the upload; about our own the error says nothing new.
    """
    code = error.code if adopted and isinstance(error, ServiceError) else ""
    return next((kind for kind in ForeignUpload if kind.value == code), None)
