"""Access list and tags of an object."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_oss_resume.devserver import documents
from airflow_provider_oss_resume.devserver.attributes import OBJECT_ACLS, acl_of, check_tags
from airflow_provider_oss_resume.devserver.call import Call
from airflow_provider_oss_resume.devserver.operations.listing import OWNER
from airflow_provider_oss_resume.devserver.operations.reading import find_object
from airflow_provider_oss_resume.devserver.reply import Pairs, Reply, xml_reply
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord


async def get_object_acl(call: Call) -> Reply:
    """Tell an object's access list."""
    grant: Pairs = [("Grant", find_object(call).attributes.acl)]
    return xml_reply("AccessControlPolicy", [("Owner", OWNER), ("AccessControlList", grant)])


async def put_object_acl(call: Call) -> Reply:
    """Change an object's access list."""
    record = find_object(call)
    acl = acl_of(call.request.headers, "x-oss-object-acl", OBJECT_ACLS, record.attributes.acl)
    call.storage.objects.change(replace(record, attributes=replace(record.attributes, acl=acl)))
    return Reply(200)


async def get_object_tagging(call: Call) -> Reply:
    """Tell an object's tags."""
    tags = find_object(call).attributes.tags
    listed: Pairs = [("Tag", [("Key", key), ("Value", value)]) for key, value in tags.items()]
    return xml_reply("Tagging", [("TagSet", listed)])


async def put_object_tagging(call: Call) -> Reply:
    """Replace an object's tags."""
    tags = check_tags(documents.tag_pairs(await call.body.document()))
    _set_tags(call, find_object(call), tags)
    return Reply(200)


async def delete_object_tagging(call: Call) -> Reply:
    """Remove an object's tags."""
    _set_tags(call, find_object(call), {})
    return Reply(204)


def _set_tags(call: Call, record: ObjectRecord, tags: dict[str, str]) -> None:
    call.storage.objects.change(replace(record, attributes=replace(record.attributes, tags=tags)))
