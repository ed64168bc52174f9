"""Master keys that cannot work are refused before anything is encrypted with them, and never shown."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.client_encryption.master_keys import KMSMasterKey, RSAMasterKey

ONE, OTHER = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
# Of 512 bits: not every version of the library makes one so short any more.
SHORT = """-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAM04AN5FBiStjhTTFq8v3mkkVuP92oc5
/piayzphFxy/uQpYgd0BO9If6kKuCt9Bi5/sdFfTW0GcUP/tRFXPRkMCAwEAAQ==
-----END PUBLIC KEY-----
"""


def private(key: Any, phrase: str = "") -> str:
    encryption = BestAvailableEncryption(phrase.encode()) if phrase else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return pem.decode()


def public(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


LOCKED = private(ONE, "hidden phrase")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs an RSA key: set a public key, a private key or both"),
        ({"public_key": "hidden"}, "the RSA public key cannot be read: set it in PEM form"),
        ({"public_key": "\ud800"}, "the RSA public key cannot be read"),
        ({"public_key": 5}, "the RSA public key cannot be read"),
        ({"public_key": private(ONE)}, "the RSA public key cannot be read"),
        ({"public_key": public(CURVE)}, "the public key is not an RSA key"),
        ({"public_key": SHORT}, "the RSA key has 512 bits, at least 1024 are needed: make one with 2048"),
        ({"private_key": public(ONE)}, "the RSA private key cannot be read: set it in PEM form, and its passphrase"),
        ({"private_key": 5}, "the RSA private key cannot be read"),
        ({"private_key": private(CURVE)}, "the private key is not an RSA key"),
        ({"private_key": LOCKED}, "the RSA private key cannot be read"),
        ({"private_key": LOCKED, "passphrase": "hidden"}, "the RSA private key cannot be read"),
        (
            {"public_key": public(ONE), "private_key": private(OTHER)},
            "does not belong to the private key: use both of one",
        ),
        ({"public_key": public(ONE), "scheme": "none"}, "unknown RSA scheme 'none': use 'pkcs1' or 'oaep'"),
        (
            {"public_key": public(ONE), "description": "x"},
            "of the RSA key is 'x': it must be a mapping of",
        ),
        ({"public_key": public(ONE), "description": {"a": 1}}, "the description of the RSA key is {'a': 1}"),
    ],
)
def test_a_key_that_cannot_work(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RSAMasterKey(**arguments)
    assert message in str(caught.value)
    assert caught.value.permanent
    said = str(caught.value) + repr(caught.value.__cause__)
    assert "hidden" not in said
    assert all(line not in said for pem in (LOCKED, private(ONE), private(OTHER)) for line in pem.splitlines()[1:-1])


@pytest.mark.parametrize("scheme", ["pkcs1", "oaep"])
def test_both_keys_of_a_pair(scheme: str) -> None:
    key = RSAMasterKey(public(ONE), LOCKED, passphrase="hidden phrase", scheme=scheme)
    assert key.unwrap(key.wrap(bytes(32))) == bytes(32)
    assert "hidden" not in repr(key)


@pytest.mark.parametrize(("given", "said"), [("hidden", "a str"), (None, "a NoneType"), (b"", "no bytes at all")])
def test_a_kms_that_gives_something_else(given: Any, said: str) -> None:
    kms = KMSMasterKey(encrypt=lambda _: given, decrypt=lambda _: given)
    for name, call in (("encrypt", kms.wrap), ("decrypt", kms.unwrap)):
        with pytest.raises(ConfigurationError, match=f"^{name} of the KMSMasterKey returned {said}: it must return"):
            call(bytes(32))


def test_a_kms_that_decrypts_to_something_else() -> None:
    with pytest.raises(ConfigurationError, match="the key that decrypt of the KMSMasterKey returned is not Base64"):
        KMSMasterKey(encrypt=bytes, decrypt=lambda _: b"hidden!").unwrap(b"w")


def test_a_public_key_alone_cannot_read() -> None:
    with pytest.raises(ConfigurationError, match="decryption and resume need the RSA private key"):
        RSAMasterKey(public(ONE)).unwrap(b"")


def test_a_kms_does_not_show_the_arguments_of_its_functions() -> None:
    assert "hidden" not in repr(KMSMasterKey(partial(lambda _key, data: data, "hidden"), bytes))
