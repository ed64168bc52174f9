"""A source whose bytes come out encrypted: the engine need not know.

Counter mode encrypts any range alone, so parts are read, re-hashed and resumed
as if the encrypted bytes were the file's own. The key is kept, wrapped, in the
checkpoint; a try that cannot unwrap it has to start over with a new one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.encryption import HEADER, ContentKey, MasterKey, WrappedKey, unwrap
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint
from airflow_provider_oss_resume.upload.options import INITIATE, PART, PUT
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import Fingerprint, OpenSource

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectCipher:
    """Hold the key of one object, and say what its requests carry."""

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
    """Return the cipher the checkpoint's upload was begun with, or a new one."""
    if checkpoint is not None and checkpoint.wrapped_key:
        wrapped = WrappedKey(
            checkpoint.wrapped_key, checkpoint.wrapped_start, master.wrap_algorithm, master.description
        )
        try:
            return ObjectCipher(unwrap(wrapped, [master]), wrapped)
        except ConfigurationError as error:
            log.warning("the upload's key cannot be unwrapped, so it cannot go on: %s", error)
    content = ContentKey.new()
    return ObjectCipher(content, content.wrapped_by(master))


class EncryptedSource:
    """Encrypt what another source gives."""

    def __init__(self, plain: OpenSource, key: ContentKey) -> None:
        self._plain = plain
        self._key = key

    @property
    def fingerprint(self) -> Fingerprint:
        return self._plain.fingerprint

    def read_into(self, buffer: memoryview, offset: int) -> int:
        count = self._plain.read_into(buffer, offset)
        buffer[:count] = self._key.crypt(buffer[:count], offset)
        return count

    def let_go(self, offset: int, length: int) -> None:
        self._plain.let_go(offset, length)

    def check_unchanged(self) -> None:
        self._plain.check_unchanged()

    def close(self) -> None:
        self._plain.close()
