"""The master keys that wrap the data keys of objects: an RSA key pair, or a key management service; no network."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from airflow_provider_oss_resume.exceptions import ConfigurationError

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
        return decode_base64(
            _require_bytes("decrypt", self.decrypt(wrapped)), "the key that decrypt of the KMSMasterKey returned"
        )


def decode_base64(text: str | bytes, what: str) -> bytes:
    """Return the bytes of a Base64 text.

    :param what: says in the error what it is; the text may be a key.
    :raises ConfigurationError: it is no Base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"{what} is not Base64") from error


def _require_bytes(name: str, value: object) -> bytes:
    if not isinstance(value, bytes) or not value:  # the message does not show it: it may be a key
        kind = "no bytes at all" if value == b"" else f"a {type(value).__name__}"
        raise ConfigurationError(f"{name} of the KMSMasterKey returned {kind}: it must return the bytes of the KMS")
    return value


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
