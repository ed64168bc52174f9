"""The checks of OSS on uploads that are encrypted by their client (oss-protocol.md section 8)."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.operations.object_headers import META_PREFIX
from airflow_provider_oss_resume.devserver.storage.records import UploadRecord
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE

_PREFIX = f"{META_PREFIX}client-side-encryption-"
_DATA_SIZE = f"{_PREFIX}data-size"
_PART_SIZE = f"{_PREFIX}part-size"
_AES_BLOCK = 16
_LISTED = {
    "ClientEncryptionKey": f"{_PREFIX}key",
    "ClientEncryptionStart": f"{_PREFIX}start",
    "ClientEncryptionCekAlg": f"{_PREFIX}cek-alg",
    "ClientEncryptionWrapAlg": f"{_PREFIX}wrap-alg",
    "ClientEncryptionDataSize": _DATA_SIZE,
    "ClientEncryptionPartSize": _PART_SIZE,
}


def is_encrypted(headers: Mapping[str, str]) -> bool:
    """Return whether an object or upload is encrypted by its client."""
    return f"{_PREFIX}key" in headers


def encryption_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of the client-side encryption family."""
    return {name: value for name, value in headers.items() if name.startswith(_PREFIX)}


def check_initiate(headers: Mapping[str, str]) -> None:
    """Refuse an encrypted upload whose parts cannot be decrypted one by one."""
    if not is_encrypted(headers):
        return
    size, part_size = _number(headers, _DATA_SIZE), _number(headers, _PART_SIZE)
    if size is None or part_size is None:
        raise _invalid("The data size and part size of a client-side encrypted upload are required.")
    if part_size % _AES_BLOCK or part_size < MIN_PART_SIZE:
        raise _invalid("The part size must be a multiple of 16 and at least 102400.")


def check_headers(upload: UploadRecord, headers: Mapping[str, str], is_required: bool) -> None:
    """Refuse a part whose encryption headers differ from those of Initiate.

    A part may carry further headers of the family.

    :param is_required: refuse a part without the headers too. The documents call them required;
        the encryption client of the Java SDK sends none.
    """
    declared, given = encryption_metadata(upload.attributes.headers), encryption_metadata(headers)
    compared = declared if is_required else {name: declared[name] for name in declared.keys() & given.keys()}
    if any(given.get(name) != value for name, value in compared.items()):
        raise _invalid("The encryption headers differ from those of the upload.", "0005-00000413")


def check_number(upload: UploadRecord, number: int) -> None:
    """Refuse a part number beyond the end that the declared sizes give."""
    if encryption_metadata(upload.attributes.headers) and number > _part_count(upload):
        raise _invalid("The upload has more parts than its sizes allow.", "0005-00000411")


def check_complete(upload: UploadRecord, size: int) -> None:
    """Refuse an encrypted object of another size than declared."""
    if is_encrypted(upload.attributes.headers) and size != _number(upload.attributes.headers, _DATA_SIZE):
        raise _invalid("The size of the object differs from the announced size.", "0005-00000420")


def listed_fields(upload: UploadRecord) -> list[tuple[str, str]]:
    """Return the elements that ListParts adds for an encrypted upload."""
    headers = upload.attributes.headers
    return [(element, headers[name]) for element, name in _LISTED.items() if name in headers]


def _part_count(upload: UploadRecord) -> int:
    size = _number(upload.attributes.headers, _DATA_SIZE) or 0
    part_size = _number(upload.attributes.headers, _PART_SIZE) or 1
    return max(1, -(-size // part_size))


def _number(headers: Mapping[str, str], name: str) -> int | None:
    return whole(headers.get(name, ""))


def _invalid(message: str, ec: str = "") -> OSSError:
    return OSSError(400, "InvalidEncryptionRequest", message, ec)
