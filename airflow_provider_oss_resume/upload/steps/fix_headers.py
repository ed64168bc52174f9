"""Give an object the headers that were requested, and keep those that another client gave it.

The headers of an upload are fixed at Initiate, and OSS does not report them. An adopted upload may have others, so the
finished object is checked and, if need be, copied onto itself inside OSS with the right headers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlencode

from airflow_provider_oss_resume.exceptions import AccessDeniedError
from airflow_provider_oss_resume.oss import OSSClient, limits
from airflow_provider_oss_resume.oss.models import ObjectInfo, Part, StoredObject
from airflow_provider_oss_resume.sources.layout import PartPlan, plan_parts
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.upload.resume.bucket_state import head_or_none
from airflow_provider_oss_resume.upload.steps.abort import abort_in_time
from airflow_provider_oss_resume.upload.steps.complete import Expected, require_verified

log = logging.getLogger(__name__)

_NOT_OF_THE_OBJECT = ("x-oss-callback", "x-oss-callback-var", "x-oss-forbid-overwrite", "x-oss-request-payer")
_TAGS = "x-oss-tagging"
_ENCRYPTION = "x-oss-server-side-encryption"
_KEPT = frozenset(
    f"""
    cache-control content-disposition content-encoding content-language content-type expires x-oss-storage-class
    {_ENCRYPTION} {_ENCRYPTION}-key-id x-oss-server-side-data-encryption
    """.split()
)
"""Headers of an object, besides its metadata, that a copy loses unless its request has them."""

_ANY_TYPE = ("", "application/octet-stream")


def lacking(info: ObjectInfo, wanted: Mapping[str, str]) -> list[str]:
    """Return the names of wanted headers that an object lacks or has with another value.

    :param wanted: headers of Initiate, names in lower case. The object's headers tell only the number of its tags.
    """
    # Those belong to a request and not to the object, which never shows them.
    names = [name for name in wanted if name not in (_TAGS, *_NOT_OF_THE_OBJECT)]
    missing = [name for name in names if wanted[name] not in _spellings(info.headers.get(name, ""))]
    if _TAGS not in wanted:
        return missing
    count = str(len(parse_qsl(wanted[_TAGS], keep_blank_values=True)))
    return missing + ([_TAGS] if info.headers.get("x-oss-tagging-count", "0") != count else [])


def merged(info: ObjectInfo, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a copy that changes what is wanted and keeps the rest.

    :param wanted: headers of Initiate, names in lower case.
    """
    own = {name: value for name, value in info.headers.items() if name in _KEPT or name.startswith("x-oss-meta-")}
    if _ENCRYPTION in wanted:  # the key belongs to the other method
        own = {name: value for name, value in own.items() if "server-side" not in name}
    return {**own, **_of_the_object(wanted)}


def _spellings(value: str) -> tuple[str, ...]:
    """Return the value of a reply header, and the value it has if it was UTF-8 that was read as Latin-1."""
    try:
        return value, value.encode("latin-1").decode()
    except UnicodeError:
        return (value,)


def fix_headers(
    client: OSSClient,
    to: Destination,
    wanted: Mapping[str, str],
    expected: Expected,
    lasting_client: OSSClient,
    *,
    type_is_guessed: bool = False,
) -> StoredObject | None:
    """Give an object the wanted headers; return the new object if it had to be copied.

    :param to: the object, with the headers of Complete, such as the ACL.
    :param wanted: headers of Initiate, names in lower case.
    :param lasting_client: aborts a copy when ``client`` has to stop.
    :param type_is_guessed: the wanted content type does not replace one that another client set.
    :raises IntegrityError: the copy is not the object.
    """
    info = head_or_none(client, to.bucket, to.key)
    if info is None:
        return None
    if type_is_guessed and info.content_type not in _ANY_TYPE:
        wanted = {name: value for name, value in wanted.items() if name != "content-type"}
    missing = lacking(info, wanted)
    if _TAGS in wanted and _TAGS not in missing and _has_other_tags(client, to, wanted[_TAGS]):
        missing.append(_TAGS)
    if not missing:
        return None
    log.info("the upload was initiated without %s: copying the object onto itself with them", ", ".join(missing))
    headers = merged(info, wanted)
    # CopyObject ends at 1 GiB (oss-protocol.md section 1.6).
    if info.size <= limits.MAX_COPY_SIZE:
        tagging = "Replace" if _TAGS in wanted else "Copy"
        directives = {"x-oss-metadata-directive": "REPLACE", "x-oss-tagging-directive": tagging}
        headers = {**headers, **_of_the_object(to.headers), **directives}
        stored = client.copy_object((to.bucket, to.key), to.bucket, to.key, headers)
    else:
        if _TAGS not in wanted:
            # A copy in parts copies bytes alone, and the tags would be lost.
            headers |= _tags_of(client, to, info)
        stored = _copy_in_parts(client, to, headers, plan_parts(info.size, limits.MAX_COPY_SIZE), lasting_client)
    after = head_or_none(client, to.bucket, to.key)
    if after is None or after.crc64 is not None:  # a copy without a CRC-64 relies on its source, which was verified
        require_verified(f"{to.bucket}/{to.key}", stored, after, expected)
    return stored


def _has_other_tags(client: OSSClient, to: Destination, wanted: str) -> bool:
    try:
        return client.get_object_tagging(to.bucket, to.key) != dict(parse_qsl(wanted, keep_blank_values=True))
    except AccessDeniedError as error:
        if error.code != "AccessDenied":
            raise
        log.info("the object has the right number of tags; their values need oss:GetObjectTagging to be checked")
        return False


def _tags_of(client: OSSClient, to: Destination, info: ObjectInfo) -> dict[str, str]:
    """Return the header that gives a copy in parts the object's tags."""
    if info.headers.get("x-oss-tagging-count", "0") == "0":
        return {}
    try:
        tags = client.get_object_tagging(to.bucket, to.key)
    except AccessDeniedError as error:
        if error.code != "AccessDenied":
            raise
        log.warning("%s; the tags of the object are lost: a copy of more than 1 GiB needs oss:GetObjectTagging", error)
        return {}
    return {_TAGS: urlencode(tags, quote_via=quote)}


def _copy_in_parts(
    client: OSSClient, to: Destination, headers: Mapping[str, str], plan: PartPlan, lasting_client: OSSClient
) -> StoredObject:
    upload_id = client.initiate_multipart_upload(to.bucket, to.key, headers)
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
