"""A checkpoint that nobody else can read: any store, with Fernet around the text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

    from airflow_provider_oss_resume.upload.store import CheckpointStore

log = logging.getLogger(__name__)

_HOW = "make one with python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


class EncryptedStore:
    """Encrypt what another store keeps.

    A text that none of the keys opens counts as lost: the bucket knows the upload too.

    :param store: where the encrypted text lives.
    :param keys: Fernet keys; the first encrypts, all decrypt, so a key is changed by putting the
        new one in front.
    :raises ConfigurationError: one of them is no Fernet key.
    """

    def __init__(self, store: CheckpointStore, keys: Sequence[str]) -> None:
        from cryptography.fernet import MultiFernet

        self._store = store
        if not keys:
            raise ConfigurationError(f"there is no checkpoint key: {_HOW}")
        self._fernet = MultiFernet([_fernet(number, key) for number, key in enumerate(keys, start=1)])

    def load(self) -> str | None:
        from cryptography.fernet import InvalidToken

        text = self._store.load()
        if text is None:
            return None
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except (InvalidToken, UnicodeError):
            log.warning("the checkpoint cannot be decrypted with the keys at hand; going on without it")
            return None

    def save(self, text: str) -> None:
        self._store.save(self._fernet.encrypt(text.encode()).decode())

    def delete(self) -> None:
        self._store.delete()


def _fernet(number: int, key: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except (ValueError, TypeError):  # without its text: a key with a letter missing is still most of a key
        raise ConfigurationError(
            f"checkpoint key number {number}, of checkpoint_secret_keys in the connection's extra or of "
            f"[oss_resume] checkpoint_keys, is no Fernet key: {_HOW}"
        ) from None


def read_keys(text: str) -> list[str]:
    """Return the keys in a setting, separated by commas or blanks; the first is the newest."""
    return text.replace(",", " ").split()
