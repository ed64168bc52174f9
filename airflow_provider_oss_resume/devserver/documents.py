"""The XML documents that clients send."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from airflow_provider_oss_resume.devserver.errors import malformed_xml
from airflow_provider_oss_resume.devserver.numbers import whole


def parse(body: bytes, root: str) -> ET.Element:
    """Return the root element of a document that has to be of the given kind."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:  # entity bombs; OSS's documents have no DTD
        raise malformed_xml()
    try:
        element = ET.fromstring(body)  # noqa: S314 - see above
    except ET.ParseError:
        raise malformed_xml() from None
    _strip_namespaces(element)
    if element.tag != root:
        raise malformed_xml()
    return element


def listed_parts(body: bytes) -> list[tuple[int, str]]:
    """Return (part number, ETag) of a CompleteMultipartUpload document, in its order."""
    parts = parse(body, "CompleteMultipartUpload").findall("Part")
    if not parts:
        raise malformed_xml()
    return [(_number(part), (part.findtext("ETag") or "").strip().strip('"').upper()) for part in parts]


def keys_to_delete(body: bytes) -> tuple[list[str], bool]:
    """Return the keys of a Delete document and whether it asks for a quiet answer."""
    root = parse(body, "Delete")
    keys = [item.findtext("Key") or "" for item in root.findall("Object")]
    if not 0 < len(keys) <= 1000 or not all(keys):
        raise malformed_xml()
    return keys, (root.findtext("Quiet") or "").lower() == "true"


def tag_pairs(body: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a Tagging document."""
    tags = parse(body, "Tagging").findall("TagSet/Tag")
    return [(tag.findtext("Key") or "", tag.findtext("Value") or "") for tag in tags]


def storage_class(body: bytes) -> str | None:
    """Return the storage class of a CreateBucketConfiguration document, which may be empty."""
    return parse(body, "CreateBucketConfiguration").findtext("StorageClass") if body.strip() else None


def _number(part: ET.Element) -> int:
    number = whole((part.findtext("PartNumber") or "").strip())
    if number is None:
        raise malformed_xml()
    return number


def _strip_namespaces(element: ET.Element) -> None:
    for node in element.iter():
        node.tag = node.tag.rpartition("}")[2]
