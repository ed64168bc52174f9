"""The XML documents that clients send."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from airflow_provider_oss_resume.devserver.errors import malformed_xml
from airflow_provider_oss_resume.devserver.numbers import whole

_KEY = re.compile(r"(?<=<Key>).*?(?=</Key>)", re.DOTALL)
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_SPECIAL = re.compile(f"[\x00-\x08\x0b-\x1f\ue000\ufffe\uffff]|{_REFERENCE.pattern}")
_ESCAPED = re.compile("\ue000([0-9a-f]+)\ue001")


@dataclass(frozen=True, slots=True)
class Deletion:
    """Hold a Delete document.

    :param objects: (key, version id) in the document's order; the version id is mostly empty.
    :param has_references: some key is written with character references.
    """

    objects: tuple[tuple[str, str], ...]
    is_quiet: bool
    has_references: bool

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.objects)


def parse(body: bytes, root: str) -> ET.Element:
    """Return the root element of a document.

    :raises OSSError: 400 MalformedXML for another root or for no XML.
    """
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


def deletion(body: bytes) -> Deletion:
    """Return the content of a Delete document.

    OSS takes keys that XML cannot hold, raw or as character references such as ``&#x1;``.
    """
    text = _decoded(body)
    root = parse(_KEY.sub(lambda match: _escaped(match[0]), text).encode(), "Delete")
    found = tuple(_deleted_object(item) for item in root.findall("Object"))
    if not 0 < len(found) <= 1000 or not all(key for key, _ in found):
        raise malformed_xml()
    has_references = any(_REFERENCE.search(key) for key in _KEY.findall(text))
    return Deletion(found, (root.findtext("Quiet") or "").lower() == "true", has_references)


def tag_pairs(body: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a Tagging document."""
    tags = parse(body, "Tagging").findall("TagSet/Tag")
    return [(tag.findtext("Key") or "", tag.findtext("Value") or "") for tag in tags]


def storage_class(body: bytes) -> str | None:
    """Return the storage class of a CreateBucketConfiguration document, which may be empty."""
    return parse(body, "CreateBucketConfiguration").findtext("StorageClass") if body.strip() else None


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise malformed_xml() from None


def _escaped(key: str) -> str:
    """Return a key without the characters and references that an XML parser refuses or changes."""
    return key if "<![CDATA[" in key else _SPECIAL.sub(_escape, key)  # CDATA has no references


def _escape(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else int(match[2]) if match[2] else ord(match[0])
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise malformed_xml()
    return f"\ue000{code:x}\ue001"


def _deleted_object(item: ET.Element) -> tuple[str, str]:
    key = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), item.findtext("Key") or "")
    return key, (item.findtext("VersionId") or "").strip()


def _number(part: ET.Element) -> int:
    number = whole((part.findtext("PartNumber") or "").strip())
    if number is None:
        raise malformed_xml()
    return number


def _strip_namespaces(element: ET.Element) -> None:
    for node in element.iter():
        node.tag = node.tag.rpartition("}")[2]
