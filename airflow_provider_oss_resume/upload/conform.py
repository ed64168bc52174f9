"""Give an object the headers it was to have.

An upload's headers are fixed at Initiate and cannot be asked for. One that was
found in the bucket may have been begun with others, so the finished object is
looked at, and put right by a copy onto itself inside OSS.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from airflow_provider_oss_resume.exceptions import AccessDeniedError
from airflow_provider_oss_resume.oss import OSSClient, limits
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part, StoredObject
from airflow_provider_oss_resume.upload.abort import abort_in_time
from airflow_provider_oss_resume.upload.completion import Expected, require_proof
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.evidence import head_or_none
from airflow_provider_oss_resume.upload.planner import PartPlan, plan_parts

log = logging.getLogger(__name__)

_NOT_OF_THE_OBJECT = ("x-oss-callback", "x-oss-callback-var", "x-oss-forbid-overwrite", "x-oss-request-payer")
_TAGS = "x-oss-tagging"


def lacking(info: ObjectInfo, wanted: Mapping[str, str]) -> list[str]:
    """Return the names of wanted headers that an object does not have as wanted.

    :param wanted: as given at Initiate, names in lower case. Of tags, headers only tell how many there are.
    """
    names = [name for name in wanted if name not in (_TAGS, *_NOT_OF_THE_OBJECT)]
    missing = [name for name in names if wanted[name] not in _spellings(info.headers.get(name, ""))]
    count = str(wanted[_TAGS].count("=")) if _TAGS in wanted else "0"
    return missing + ([_TAGS] if info.headers.get("x-oss-tagging-count", "0") != count else [])


def _spellings(value: str) -> tuple[str, ...]:
    """Return a reply header's value as read, and as what it is if it was UTF-8 read as Latin-1."""
    try:
        return value, value.encode("latin-1").decode()
    except UnicodeError:
        return (value,)


def conform(
    client: OSSClient, to: Destination, wanted: Mapping[str, str], expected: Expected, lasting_client: OSSClient
) -> StoredObject | None:
    """Make sure that an object has its headers; return it anew if it had to be copied.

    :param to: its headers are those that Complete carries, such as the ACL.
    :param lasting_client: aborts a copy when ``client`` was told to stop.
    :raises IntegrityError: the copy is not the object.
    """
    info = head_or_none(client, to.bucket, to.key)
    missing = lacking(info, wanted) if info is not None else []
    if info is not None and _TAGS in wanted and _TAGS not in missing and _has_other_tags(client, to, wanted[_TAGS]):
        missing.append(_TAGS)
    if info is None or not missing:
        return None
    log.info("the upload was begun without %s: putting the object right inside OSS", ", ".join(missing))
    headers = _of_the_object({**wanted, **to.headers})
    if info.size <= limits.MAX_COPY_SIZE:
        directives = {"x-oss-metadata-directive": "REPLACE", "x-oss-tagging-directive": "Replace"}
        stored = client.copy_object((to.bucket, to.key), to.bucket, to.key, {**headers, **directives})
    else:
        stored = _copy_in_parts(client, to, wanted, plan_parts(info.size, limits.MAX_COPY_SIZE), lasting_client)
    after = head_or_none(client, to.bucket, to.key)
    if after is None or after.crc64 is not None:  # OSS keeps no CRC-64 of parts it copied; their source was proved
        require_proof(f"{to.bucket}/{to.key}", stored, after, expected)
    return stored


def _has_other_tags(client: OSSClient, to: Destination, wanted: str) -> bool:
    try:
        return client.get_object_tagging(to.bucket, to.key) != dict(parse_qsl(wanted, keep_blank_values=True))
    except AccessDeniedError as error:
        if error.code != "AccessDenied":
            raise
        log.info("the object has as many tags as were asked for; which ones may not be read (oss:GetObjectTagging)")
        return False


def _copy_in_parts(
    client: OSSClient, to: Destination, wanted: Mapping[str, str], plan: PartPlan, lasting_client: OSSClient
) -> StoredObject:
    upload_id = client.initiate_multipart_upload(to.bucket, to.key, _of_the_object(wanted))
    try:
        parts = [_copy_part(client, to, upload_id, plan, part.number) for part in plan]
        return client.complete_multipart_upload(to.bucket, to.key, upload_id, parts, _of_the_object(to.headers))
    except BaseException:
        abort_in_time(lasting_client, replace(to, upload_id=upload_id))
        raise


def _of_the_object(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _NOT_OF_THE_OBJECT}


def _copy_part(client: OSSClient, to: Destination, upload_id: str, plan: PartPlan, number: int) -> Part:
    part = plan.part(number)
    last = part.offset + part.length - 1
    return client.upload_part_copy(to.bucket, to.key, upload_id, number, (to.bucket, to.key), (part.offset, last))
