"""Client-side encryption in the format of the official SDKs (oss-protocol.md section 8); no network.

Content is encrypted with AES-256 in counter mode, so every byte range can be encrypted separately: part n of a
resumed upload has the same ciphertext as before, and a range can be read without the rest. Bytes 8 to 11 of the
counter's start are zero, so adding the block number never overflows into its upper half. Content key and start are
new for each upload, and are stored with the object, wrapped by a master key. There is no authentication: CRC-64 is
over the ciphertext.

Never encrypt a second plaintext with one content key: the two ciphertexts, XORed, are the two plaintexts XORed.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey, decode_base64

CONTENT_ALGORITHM = "AES/CTR/NoPadding"
BLOCK = 16
HEADER = "x-oss-meta-client-side-encryption-"

_KEY_LENGTH, _START_LENGTH = 32, 16


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """Hold the wrapped key of an object, in Base64."""

    key: str
    start: str
    wrap_algorithm: str
    description: str = ""

    def headers(self) -> dict[str, str]:
        """Return the metadata headers of an object with this key."""
        named = {
            "key": self.key,
            "start": self.start,
            "cek-alg": CONTENT_ALGORITHM,
            "wrap-alg": self.wrap_algorithm,
            "matdesc": self.description,
        }
        return {f"{HEADER}{name}": value for name, value in named.items() if value}

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> WrappedKey | None:
        """Return the wrapped key in the headers of an object, ``None`` if the object is not encrypted.

        :param headers: names in lower case.
        """
        if f"{HEADER}key" not in headers:
            return None
        algorithm = headers.get(f"{HEADER}cek-alg", "")
        if algorithm != CONTENT_ALGORITHM:
            raise ConfigurationError(
                f"the object is encrypted with {algorithm!r}: only {CONTENT_ALGORITHM!r} is supported"
            )
        named = [headers.get(f"{HEADER}{name}", "") for name in ("key", "start", "wrap-alg", "matdesc")]
        return cls(*named)


@dataclass(frozen=True, slots=True)
class ContentKey:
    """Encrypt and decrypt the bytes of one object, at any offset."""

    key: bytes = field(repr=False)
    start: bytes = field(repr=False)

    @classmethod
    def new(cls, random_bytes: Callable[[int], bytes] = os.urandom) -> ContentKey:
        """Return a new random key.

        :param random_bytes: returns as many random bytes as asked for.
        """
        return cls(random_bytes(_KEY_LENGTH), random_bytes(8) + bytes(4) + random_bytes(4))

    def crypt(self, data: bytes | memoryview, offset: int) -> bytes:
        """Return the bytes at an offset of the object, encrypted or decrypted: both are the same operation."""
        # A stream starts only at a whole block: the bytes of the key stream before the offset are used up on zeros.
        skipped = offset % BLOCK
        stream = self._stream(offset // BLOCK)
        if skipped:
            stream.update(bytes(skipped))
        result: bytes = stream.update(data)
        return result

    def decrypt_blocks(self, blocks: Iterator[bytes], offset: int) -> Iterator[bytes]:
        """Yield consecutive blocks, decrypted.

        :param offset: of the first block in the object.
        """
        stream = self._stream(offset // BLOCK)
        stream.update(bytes(offset % BLOCK))
        for block in blocks:
            yield stream.update(block)

    def wrapped_by(self, master: MasterKey) -> WrappedKey:
        """Return this key, wrapped by a master key."""
        key, start = (base64.b64encode(master.wrap(secret)).decode() for secret in (self.key, self.start))
        return WrappedKey(key, start, master.wrap_algorithm, master.description)

    def _stream(self, block: int) -> Any:
        counter = (int.from_bytes(self.start, "big") + block) % 2**128
        return Cipher(algorithms.AES(self.key), modes.CTR(counter.to_bytes(_START_LENGTH, "big"))).encryptor()


def unwrap(wrapped: WrappedKey, masters: Sequence[MasterKey]) -> ContentKey:
    """Return the key of an object.

    :param masters: master keys, one of which wrapped it; its description is compared.
    :raises ConfigurationError: none of them fits.
    """
    fitting = [master for master in masters if master.wrap_algorithm == wrapped.wrap_algorithm]
    # Only the first is tried, because a wrong key gives random bytes and no error that would call for the next.
    fitting.sort(key=lambda master: master.description != wrapped.description)
    if not fitting:
        known = ", ".join(sorted({master.wrap_algorithm for master in masters})) or "none"
        raise ConfigurationError(
            f"the key of the object is wrapped by {wrapped.wrap_algorithm!r}, but the master keys are for {known}"
        )
    key = fitting[0].unwrap(decode_base64(wrapped.key, "the wrapped key"))
    start = fitting[0].unwrap(decode_base64(wrapped.start, "the wrapped start"))
    # PKCS#1 with another RSA key does not always fail: OpenSSL (since 3.2) returns random bytes of a random length.
    if len(key) != _KEY_LENGTH or len(start) != _START_LENGTH:
        raise ConfigurationError("the key of the object was wrapped with another master key")
    return ContentKey(key, start)
