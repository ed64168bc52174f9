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
import binascii
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from airflow_provider_oss_resume.exceptions import ConfigurationError

CONTENT_ALGORITHM = "AES/CTR/NoPadding"
BLOCK = 16
HEADER = "x-oss-meta-client-side-encryption-"

_KEY_LENGTH, _START_LENGTH = 32, 16
_LEAST_BITS = 1024
"""Of an RSA key. A shorter key is easy to break. 2048 is usual, but objects written with 1024 must be readable."""
_PADDINGS = {
    "pkcs1": ("RSA/NONE/PKCS1Padding", padding.PKCS1v15()),
    "oaep": (
        "RSA/NONE/OAEPWithSHA-1AndMGF1Padding",
        padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA1()), algorithm=hashes.SHA1(), label=None),  # noqa: S303
    ),
}


class MasterKey(Protocol):
    """Wrap and unwrap the keys of objects.

    :ivar wrap_algorithm: label in the metadata of the object.
    :ivar description: JSON that identifies the master key when the object is read; may be empty.
    """

    @property
    def wrap_algorithm(self) -> str: ...

    @property
    def description(self) -> str: ...

    def wrap(self, secret: bytes) -> bytes:
        """Return the secret, encrypted with the master key."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the secret that :meth:`wrap` encrypted."""
        ...


class RSAMasterKey:
    """Wrap with an RSA key pair.

    :param public_key: PEM; needed to write.
    :param private_key: PEM; needed to read and to resume.
    :param passphrase: passphrase of the private key.
    :param scheme: ``pkcs1`` (all SDKs) or ``oaep`` (oss2's LocalRsaProvider).
    :param description: identifies this key when the object is read, as ``mat_desc`` of the SDKs.
    :raises ConfigurationError: a key cannot be read.
    """

    def __init__(
        self,
        public_key: str | None = None,
        private_key: str | None = None,
        *,
        passphrase: str | None = None,
        scheme: str = "pkcs1",
        description: Mapping[str, str] | None = None,
    ) -> None:
        if scheme not in _PADDINGS:
            raise ConfigurationError(f"unknown RSA scheme {scheme!r}: use 'pkcs1' or 'oaep'")
        self.wrap_algorithm, self._padding = _PADDINGS[scheme]
        self.description = _described(description) if description else ""
        self._private = _private_key(private_key, passphrase) if private_key else None
        self._public: rsa.RSAPublicKey | None = None
        if public_key:
            self._public = _public_key(public_key)
            self._require_pair()
        elif self._private is not None:
            self._public = self._private.public_key()
        else:
            raise ConfigurationError("client-side encryption needs an RSA key: set a public key, a private key or both")

    def _require_pair(self) -> None:
        if self._private is not None and self._private.public_key() != self._public:  # no retry could resume
            raise ConfigurationError(
                "the RSA public key does not belong to the private key: use both of one pair, or only the private key"
            )

    def wrap(self, secret: bytes) -> bytes:
        if self._public is None:
            raise ConfigurationError("encryption needs the RSA public key: set it in PEM form")
        return self._public.encrypt(secret, self._padding)

    def unwrap(self, wrapped: bytes) -> bytes:
        if self._private is None:
            raise ConfigurationError("decryption and resume need the RSA private key: set it in PEM form")
        try:
            return self._private.decrypt(wrapped, self._padding)
        except ValueError as error:
            raise ConfigurationError("the key of the object was wrapped with another RSA key") from error


@dataclass(frozen=True, slots=True)
class KMSMasterKey:
    """Wrap with a key management service, through two functions of the caller.

    It wraps the Base64 text of a key, as the SDKs for Java and Go do (oss2 does not).

    :param encrypt: sends bytes to the service and returns the ciphertext.
    :param decrypt: sends ciphertext to the service and returns the bytes.
    """

    encrypt: Callable[[bytes], bytes] = field(repr=False)  # a partial() shows its arguments
    decrypt: Callable[[bytes], bytes] = field(repr=False)
    description: str = ""
    wrap_algorithm: str = "KMS/ALICLOUD"

    def wrap(self, secret: bytes) -> bytes:
        return _require_bytes("encrypt", self.encrypt(base64.b64encode(secret)))

    def unwrap(self, wrapped: bytes) -> bytes:
        return _decode(
            _require_bytes("decrypt", self.decrypt(wrapped)), "the key that decrypt of the KMSMasterKey returned"
        )


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
    key = fitting[0].unwrap(_decode(wrapped.key, "the wrapped key"))
    start = fitting[0].unwrap(_decode(wrapped.start, "the wrapped start"))
    # PKCS#1 with another RSA key does not always fail: OpenSSL (since 3.2) returns random bytes of a random length.
    if len(key) != _KEY_LENGTH or len(start) != _START_LENGTH:
        raise ConfigurationError("the key of the object was wrapped with another master key")
    return ContentKey(key, start)


def _require_bytes(name: str, value: object) -> bytes:
    if not isinstance(value, bytes) or not value:  # the message does not show it: it may be a key
        kind = "no bytes at all" if value == b"" else f"a {type(value).__name__}"
        raise ConfigurationError(f"{name} of the KMSMasterKey returned {kind}: it must return the bytes of the KMS")
    return value


def _decode(text: str | bytes, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"{what} is not Base64") from error


def _private_key(pem: str, passphrase: str | None) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "the RSA private key cannot be read: set it in PEM form, and its passphrase if it has one"
        ) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError("the private key is not an RSA key")
    _require_bits(key)
    return key


def _public_key(pem: str) -> rsa.RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, AttributeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError("the RSA public key cannot be read: set it in PEM form") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise ConfigurationError("the public key is not an RSA key")
    _require_bits(key)
    return key


def _require_bits(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> None:
    if key.key_size < _LEAST_BITS:
        raise ConfigurationError(
            f"the RSA key has {key.key_size} bits, at least {_LEAST_BITS} are needed: "
            "make one with 2048 or more, for example with openssl genrsa 2048"
        )


def _described(description: object) -> str:
    legal = isinstance(description, Mapping) and all(
        isinstance(name, str) and isinstance(value, str) for name, value in description.items()
    )
    if not isinstance(description, Mapping) or not legal:
        raise ConfigurationError(
            f"the description of the RSA key is {description!r:.60}: it must be a mapping of strings"
        )
    return json.dumps(dict(description))
