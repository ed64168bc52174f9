"""What OSS checks about client-side encrypted uploads (oss-protocol.md section 8)."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_oss_resume.devserver.attributes import META_PREFIX
from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.storage.records import UploadRecord
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE

PREFIX = f"{META_PREFIX}client-side-encryption-"
_DATA_SIZE = f"{PREFIX}data-size"
_PART_SIZE = f"{PREFIX}part-size"
_AES_BLOCK = 16
_LISTED = {
    "ClientEncryptionKey": f"{PREFIX}key",
    "ClientEncryptionStart": f"{PREFIX}start",
    "ClientEncryptionCekAlg": f"{PREFIX}cek-alg",
    "ClientEncryptionWrapAlg": f"{PREFIX}wrap-alg",
    "ClientEncryptionDataSize": _DATA_SIZE,
    "ClientEncryptionPartSize": _PART_SIZE,
}


def is_encrypted(headers: Mapping[str, str]) -> bool:
    """Tell whether an object or upload is encrypted by its client."""
    return f"{PREFIX}key" in headers


def check_initiate(headers: Mapping[str, str]) -> None:
    """Refuse an encrypted upload whose parts could not be decrypted one by one."""
    if not is_encrypted(headers):
        return
    size, part_size = _number(headers, _DATA_SIZE), _number(headers, _PART_SIZE)
    if size is None or part_size is None:
        raise _invalid("The data size and part size of a client-side encrypted upload are required.")
    if part_size % _AES_BLOCK or part_size < MIN_PART_SIZE:
        raise _invalid("The part size must be a multiple of 16 and at least 102400.")


def check_part(upload: UploadRecord, number: int, headers: Mapping[str, str]) -> None:
    """Refuse a part whose encryption headers are not those of Initiate."""
    declared = _own(upload.attributes.headers)
    if not declared:
        return
    if _own(headers) != declared:
        raise _invalid("The encryption headers differ from those of the upload.", "0005-00000413")
    if number > _part_count(upload):
        raise _invalid("The upload has more parts than its sizes allow.", "0005-00000411")


def check_complete(upload: UploadRecord, size: int) -> None:
    """Refuse an encrypted object of another size than announced."""
    if is_encrypted(upload.attributes.headers) and size != _number(upload.attributes.headers, _DATA_SIZE):
        raise _invalid("The size of the object differs from the announced size.", "0005-00000420")


def listed_fields(upload: UploadRecord) -> list[tuple[str, str]]:
    """Return the elements that ListParts adds for an encrypted upload."""
    headers = upload.attributes.headers
    return [(element, headers[name]) for element, name in _LISTED.items() if name in headers]


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(PREFIX)}


def _part_count(upload: UploadRecord) -> int:
    size = _number(upload.attributes.headers, _DATA_SIZE) or 0
    part_size = _number(upload.attributes.headers, _PART_SIZE) or 1
    return max(1, -(-size // part_size))


def _number(headers: Mapping[str, str], name: str) -> int | None:
    return whole(headers.get(name, ""))


def _invalid(message: str, ec: str = "") -> OSSError:
    return OSSError(400, "InvalidEncryptionRequest", message, ec)
