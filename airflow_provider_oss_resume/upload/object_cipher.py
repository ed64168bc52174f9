"""The data key of an object that is encrypted on this side, and the headers that describe it.

The data key is stored in the checkpoint, wrapped by the master key; a resume needs it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from airflow_provider_oss_resume.checkpoint.record import Checkpoint
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.client_encryption.encryption import HEADER, ContentKey, WrappedKey, unwrap
from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.upload.object_options import INITIATE, PART, PUT

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectCipher:
    """The data key of one object, plain and wrapped."""

    content: ContentKey
    wrapped: WrappedKey

    def headers_for(self, operation: str, plan: PartPlan) -> dict[str, str]:
        """Return the headers of an operation: the same on Initiate and on every part."""
        if operation == PUT:
            return {**self.wrapped.headers(), f"{HEADER}unencrypted-content-length": str(plan.size)}
        if operation in (INITIATE, PART):
            sizes = {f"{HEADER}data-size": str(plan.size), f"{HEADER}part-size": str(plan.part_size)}
            return {**self.wrapped.headers(), **sizes}
        return {}


def cipher_for(master: MasterKey, checkpoint: Checkpoint | None) -> ObjectCipher:
    """Return the cipher of the checkpoint's upload, or a new one."""
    if checkpoint is not None and checkpoint.wrapped_key:
        wrapped = WrappedKey(
            checkpoint.wrapped_key, checkpoint.wrapped_start, master.wrap_algorithm, master.description
        )
        try:
            return ObjectCipher(unwrap(wrapped, [master]), wrapped)
        except ConfigurationError as error:
            # The key in the decision then differs from the checkpoint's, which aborts the old upload.
            log.warning("the data key of the upload cannot be unwrapped, so the upload cannot be resumed: %s", error)
    content = ContentKey.new()
    return ObjectCipher(content, content.wrapped_by(master))
