"""The headers of server-side encryption. They are stored and repeated; nothing is encrypted."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.devserver.errors import OSSError, invalid_argument
from airflow_provider_oss_resume.devserver.storage.records import Attributes

_ALGORITHM = "x-oss-server-side-encryption"
_KEY_ID = f"{_ALGORITHM}-key-id"
_DATA = "x-oss-server-side-data-encryption"
HEADERS = (_ALGORITHM, _KEY_ID, _DATA)
_ALGORITHMS = ("AES256", "KMS", "SM4")

DEFAULT_KMS_KEY = "9468da86-3509-4f8d-a61e-6eab1eac0000"
"""The key id that replies name where a request asks for KMS without a key."""


def encryption_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the encryption headers that OSS keeps of a request.

    The key id and the data encryption belong to KMS: OSS neither keeps nor repeats them beside another
    algorithm or alone. KMS without a key id uses the account's default key, which replies name.

    :raises OSSError: 400 InvalidEncryptionAlgorithmError.
    """
    algorithm = headers.get(_ALGORITHM)
    for name in (_ALGORITHM, _DATA):
        if headers.get(name, "AES256") not in _ALGORITHMS:
            message = "The encryption request you specified is not valid. Supported values: AES256/KMS/SM4."
            raise OSSError(400, "InvalidEncryptionAlgorithmError", message)
    if algorithm is None:
        return {}
    if algorithm != "KMS":
        return {_ALGORITHM: algorithm}
    data = {_DATA: headers[_DATA]} if _DATA in headers else {}
    return {_ALGORITHM: algorithm, _KEY_ID: headers.get(_KEY_ID) or DEFAULT_KMS_KEY, **data}


def without_encryption(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without those of server-side encryption."""
    return {name: value for name, value in headers.items() if name not in HEADERS}


def refuse_encryption(headers: Mapping[str, str]) -> None:
    """Refuse encryption headers on a part: OSS takes them at Initiate only.

    :raises OSSError: 400 InvalidArgument.
    """
    for name in HEADERS:
        if name in headers:
            raise invalid_argument("The encryption header is not supported here.", name, headers[name])


def encryption_reply(attributes: Attributes) -> dict[str, str]:
    """Return the encryption headers that a reply repeats."""
    return {name: attributes.headers[name] for name in HEADERS if name in attributes.headers}
