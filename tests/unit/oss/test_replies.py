from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, IntegrityError, TransportError
from airflow_provider_oss_resume.oss import replies
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.http.messages import HTTPReply
from airflow_provider_oss_resume.oss.models import ObjectInfo, StoredObject
from tests.fakes import BlockBody

CRC = "x-oss-hash-crc64ecma"


def reply(body: bytes = b"", **headers: str) -> HTTPReply:
    return HTTPReply(200, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_object_info() -> None:
    headers = {
        "content-length": "11",
        "etag": '"5eb63bbbe01eeed093cb22bb8f5acdc3"',
        CRC: "5981764153023615706",
        "last-modified": "Wed, 28 Dec 2022 10:27:41 GMT",
        "content-type": "text/plain",
        "x-oss-object-type": "Multipart",
        "x-oss-storage-class": "IA",
        "x-oss-meta-owner": "me",
    }
    assert replies.object_info(headers) == ObjectInfo(
        size=11,
        etag="5EB63BBBE01EEED093CB22BB8F5ACDC3",
        crc64=5981764153023615706,
        last_modified="Wed, 28 Dec 2022 10:27:41 GMT",
        content_type="text/plain",
        object_type="Multipart",
        storage_class="IA",
        metadata={"owner": "me"},
        headers=headers,
    )


@pytest.mark.parametrize("length", ["", "many", "-1", "1.5", "9" * 21])
def test_a_length_that_is_no_number_is_a_fault_of_the_transport(length: str) -> None:
    with pytest.raises(TransportError, match="content-length"):
        replies.object_info({"content-length": length})


def test_an_object_may_have_no_crc() -> None:
    assert replies.object_info({"content-length": "0"}).crc64 is None


def test_stored_object_of_a_put() -> None:
    answer = reply(b'{"ok":1}', etag='"ab"', x_oss_version_id="V1", x_oss_request_id="5C3D")
    assert replies.stored_object(answer) == StoredObject("AB", None, "V1", "5C3D", callback_body=b'{"ok":1}')


def test_stored_object_of_a_document_has_no_callback_body() -> None:
    assert replies.stored_object(reply(b"<Xml/>"), "AB-2") == StoredObject("AB-2")


def test_a_part_needs_an_etag() -> None:
    assert replies.etag_header(reply(etag='"ab"')) == "AB"
    with pytest.raises(TransportError, match="no ETag"):
        replies.etag_header(reply(etag='""'))


def read_whole(content: bytes) -> BlockBody:
    return BlockBody(content, crc64=crc64(content))


@pytest.mark.parametrize("body", [b"hello world", read_whole(b"hello world")])
def test_other_bytes_in_oss_than_were_sent(body: bytes | BlockBody) -> None:
    right, wrong = HTTPReply(200, {CRC: str(crc64(b"hello world"))}), HTTPReply(200, {CRC: "7"})
    replies.require_sent(right, body, "part 3 of b/k")
    with pytest.raises(IntegrityError, match="part 3 of b/k has CRC-64 7 in OSS but 5981764153023615706 at the source"):
        replies.require_sent(wrong, body, "part 3 of b/k")


def test_what_cannot_be_compared_is_left_to_the_end_of_the_upload() -> None:
    replies.require_sent(HTTPReply(200, {}), b"hello world", "part 3")
    replies.require_sent(HTTPReply(200, {CRC: "7"}), BlockBody(b"hello world"), "part 3")


def test_a_listing_must_advance() -> None:
    replies.require_advance("ListParts", 0, 5)
    replies.require_advance("ListParts", 5, None)
    with pytest.raises(TransportError, match="ListParts returned the same page twice, at 5"):
        replies.require_advance("ListParts", 5, 5)


def test_copy_source_is_encoded() -> None:
    assert replies.copy_source(("examplebucket", "a b/数+.csv")) == "/examplebucket/a%20b/%E6%95%B0%2B.csv"


@pytest.mark.parametrize("source", [("Bucket", "k"), ("examplebucket", "/k"), ("examplebucket", "\ud800")])
def test_a_source_of_a_copy_that_cannot_be(source: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="illegal"):
        replies.copy_source(source)


@pytest.mark.parametrize(("first", "last"), [(5, 2), (-1, 3), ("0", "1"), (0, 1.5), (0, None), (False, True)])
def test_a_range_that_oss_would_answer_with_the_whole_object(first: object, last: object) -> None:
    with pytest.raises(ConfigurationError, match="illegal range of bytes"):
        replies.require_range(first, last)


def test_a_legal_range() -> None:
    replies.require_range(0, 0)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_bytes_in_memory_are_compared_too(kind: type) -> None:
    with pytest.raises(IntegrityError, match="has CRC-64 7 in OSS"):
        replies.require_sent(HTTPReply(200, {CRC: "7"}), kind(b"hello world"), "part 3")
