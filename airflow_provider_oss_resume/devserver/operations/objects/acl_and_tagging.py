"""ACL and tags of an object."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_oss_resume.devserver.http import documents
from airflow_provider_oss_resume.devserver.http.call import Call
from airflow_provider_oss_resume.devserver.http.reply import Pairs, Reply, xml_reply
from airflow_provider_oss_resume.devserver.operations.buckets.list_objects import OWNER
from airflow_provider_oss_resume.devserver.operations.object_headers import OBJECT_ACLS, acl_of, check_tags
from airflow_provider_oss_resume.devserver.operations.objects.read import find_object
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord


async def get_object_acl(call: Call) -> Reply:
    """Return the ACL of an object."""
    grant: Pairs = [("Grant", find_object(call).attributes.acl)]
    return xml_reply("AccessControlPolicy", [("Owner", OWNER), ("AccessControlList", grant)])


async def put_object_acl(call: Call) -> Reply:
    """Change the ACL of an object."""
    record = find_object(call)
    acl = acl_of(call.request.headers, "x-oss-object-acl", OBJECT_ACLS, record.attributes.acl)
    call.storage.objects.change(replace(record, attributes=replace(record.attributes, acl=acl)))
    return Reply(200)


async def get_object_tagging(call: Call) -> Reply:
    """Return the tags of an object."""
    tags = find_object(call).attributes.tags
    listed: Pairs = [("Tag", [("Key", key), ("Value", value)]) for key, value in tags.items()]
    return xml_reply("Tagging", [("TagSet", listed)])


async def put_object_tagging(call: Call) -> Reply:
    """Replace the tags of an object."""
    tags = check_tags(documents.tag_pairs(await call.body.document()))
    _set_tags(call, find_object(call), tags)
    return Reply(200)


async def delete_object_tagging(call: Call) -> Reply:
    """Remove the tags of an object."""
    _set_tags(call, find_object(call), {})
    return Reply(204)


def _set_tags(call: Call, record: ObjectRecord, tags: dict[str, str]) -> None:
    call.storage.objects.change(replace(record, attributes=replace(record.attributes, tags=tags)))
