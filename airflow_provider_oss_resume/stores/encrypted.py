"""Checkpoints encrypted with Fernet, in any store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

    from airflow_provider_oss_resume.checkpoint.listing import ListableStore
    from airflow_provider_oss_resume.checkpoint.store import CheckpointStore

log = logging.getLogger(__name__)

_HOW = "make one with python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


class EncryptedStore:
    """Encrypt what another store keeps.

    A text that none of the keys decrypts counts as lost: the bucket knows the upload too.

    :param store: keeps the encrypted text.
    :param keys: Fernet keys. The first encrypts, all decrypt: to change the key, put the new one in front.
    :raises ConfigurationError: there are no keys, or one of them is not a Fernet key.
    """

    def __init__(self, store: CheckpointStore, keys: Sequence[str]) -> None:
        self._store = store
        self._fernet = _multi_fernet(keys)

    def load(self) -> str | None:
        text = self._store.load()
        if text is None:
            return None
        decrypted = _decrypt(self._fernet, text)
        if decrypted is None:
            log.warning("the checkpoint cannot be decrypted with the configured keys; continuing without it")
            return ""  # not None: the engine deletes or replaces an unreadable text, and leaves none behind
        return decrypted

    def save(self, text: str) -> None:
        self._store.save(self._fernet.encrypt(text.encode()).decode())

    def delete(self) -> None:
        self._store.delete()


class EncryptedCheckpoints:
    """Decrypt what another store lists.

    Texts that none of the keys decrypts are listed as they are: some uploads may have another key or none.

    :param checkpoints: lists the encrypted texts.
    :param keys: as of :class:`EncryptedStore`.
    :raises ConfigurationError: there are no keys, or one of them is not a Fernet key.
    """

    def __init__(self, checkpoints: ListableStore, keys: Sequence[str]) -> None:
        self._checkpoints = checkpoints
        self._fernet = _multi_fernet(keys)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the store key and the text of each checkpoint; see :class:`.ListableStore`."""
        for store_key, text in self._checkpoints.texts():
            decrypted = _decrypt(self._fernet, text)
            yield store_key, text if decrypted is None else decrypted

    def remove(self, store_key: str) -> None:
        """Delete a checkpoint."""
        self._checkpoints.remove(store_key)


def _multi_fernet(keys: Sequence[str]) -> MultiFernet:
    from cryptography.fernet import MultiFernet

    if not keys:
        raise ConfigurationError(f"there is no checkpoint key: {_HOW}")
    return MultiFernet([_fernet(number, key) for number, key in enumerate(keys, start=1)])


def _fernet(number: int, key: str) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except (ValueError, TypeError):  # the message leaves the key out: a key that lacks a letter is still a secret
        raise ConfigurationError(
            f"checkpoint key number {number}, of checkpoint_secret_keys in the connection's extra or of "
            f"[oss_resume] checkpoint_keys, is not a Fernet key: {_HOW}"
        ) from None


def _decrypt(fernet: MultiFernet, text: str) -> str | None:
    """Return the decrypted text; ``None`` if no key decrypts it."""
    from cryptography.fernet import InvalidToken

    try:
        return fernet.decrypt(text.encode()).decode()
    # UnicodeError: half a surrogate pair, which a JSON store can hold.
    except (InvalidToken, UnicodeError):
        return None


def read_keys(text: str) -> list[str]:
    """Return the keys of a setting, which separates them by commas or blanks; the first is the newest."""
    return text.replace(",", " ").split()
