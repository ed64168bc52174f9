from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_oss_resume.exceptions import TransportError
from airflow_provider_oss_resume.oss import xml
from airflow_provider_oss_resume.oss.models import ListedObject, MultipartUpload, Part

LIST_PARTS = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListPartsResult xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com">
  <Bucket>examplebucket</Bucket><Key>multipart.data</Key><UploadId>0004B999EF5A239BB9138C6227D69F95</UploadId>
  <NextPartNumberMarker>5</NextPartNumberMarker><MaxParts>1000</MaxParts><IsTruncated>%s</IsTruncated>
  <Part><PartNumber>1</PartNumber><LastModified>2012-02-23T07:01:34.000Z</LastModified>
    <ETag>"3349DC700140D7F86A078484278075A9"</ETag><HashCrc64ecma>18446744073709551615</HashCrc64ecma>
    <Size>6291456</Size></Part>
  <Part><PartNumber>5</PartNumber><ETag>"7265f4d211b56873a381d321f586e4a9"</ETag><Size>1024</Size></Part>
</ListPartsResult>"""
PARTS = (
    Part(1, 6291456, "3349DC700140D7F86A078484278075A9", 18446744073709551615),
    Part(5, 1024, "7265F4D211B56873A381D321F586E4A9", None),
)


def test_complete_lists_parts_in_ascending_order() -> None:
    assert xml.render_complete([Part(8, 1, "BB"), Part(1, 1, "AA")]) == (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;AA&quot;</ETag></Part>"
        b"<Part><PartNumber>8</PartNumber><ETag>&quot;BB&quot;</ETag></Part></CompleteMultipartUpload>"
    )


def test_complete_escapes_an_etag_that_a_proxy_made() -> None:
    assert b"<ETag>&quot;&lt;A&amp;&gt;&quot;</ETag>" in xml.render_complete([Part(1, 1, "<A&>")])


def test_upload_id() -> None:
    body = b"<InitiateMultipartUploadResult><Key>k</Key><UploadId>0004B9</UploadId></InitiateMultipartUploadResult>"
    assert xml.parse_upload_id(body) == "0004B9"


def test_etag_loses_its_quotes() -> None:
    body = b'<CompleteMultipartUploadResult><ETag>"b864db6a-3"</ETag></CompleteMultipartUploadResult>'
    assert xml.parse_etag(body, "CompleteMultipartUploadResult") == "B864DB6A-3"


LATEST = "2012-02-23T07:01:34.000Z"


def test_last_page_of_parts_has_a_marker_all_the_same() -> None:
    assert xml.parse_parts(LIST_PARTS % b"false") == xml.PartsPage(PARTS, None, last_modified=LATEST)


def test_page_of_parts_with_more_behind_it() -> None:
    assert xml.parse_parts(LIST_PARTS % b"true") == xml.PartsPage(PARTS, 5, last_modified=LATEST)


def test_uploads_with_encoded_names() -> None:
    body = b"""<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
      <NextKeyMarker>a%2Fb%20c</NextKeyMarker><NextUploadIdMarker>ID2</NextUploadIdMarker>
      <Upload><Key>%E6%95%B0+%2B</Key><UploadId>ID1</UploadId><Initiated>2012-02-23T04:18:23.000Z</Initiated></Upload>
      <Upload><Key>a%2Fb%20c</Key><UploadId>ID2</UploadId></Upload></ListMultipartUploadsResult>"""
    uploads = (MultipartUpload("数++", "ID1", "2012-02-23T04:18:23.000Z"), MultipartUpload("a/b c", "ID2"))
    assert xml.parse_uploads(body) == xml.UploadsPage(uploads, ("a/b c", "ID2"))


def test_uploads_without_encoding_keep_their_percent_signs() -> None:
    body = b"""<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>
      <Upload><Key>100%25</Key><UploadId>ID</UploadId></Upload></ListMultipartUploadsResult>"""
    assert xml.parse_uploads(body) == xml.UploadsPage((MultipartUpload("100%25", "ID"),), None)


def test_objects() -> None:
    body = b"""<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
      <NextContinuationToken>T==</NextContinuationToken><Contents><Key>a%2B</Key><Size>3</Size>
      <ETag>"x"</ETag><LastModified>now</LastModified><StorageClass>IA</StorageClass></Contents>
      <Contents><Key>b</Key><Size>0</Size></Contents></ListBucketResult>"""
    objects = (ListedObject("a+", 3, "X", "now", "IA"), ListedObject("b", 0, "", "", ""))
    assert xml.parse_objects(body) == xml.ObjectsPage(objects, "T==")
    assert xml.parse_objects(b"<ListBucketResult/>") == xml.ObjectsPage((), None)


def test_buckets() -> None:
    listed = b"<Bucket><Name>a</Name></Bucket><Bucket><Name>b</Name></Bucket>"
    body = b"<ListAllMyBucketsResult><Buckets>" + listed + b"</Buckets></ListAllMyBucketsResult>"
    assert xml.parse_buckets(body) == ["a", "b"]
    assert xml.parse_buckets(b"<ListAllMyBucketsResult/>") == []


def test_tags() -> None:
    tags = "<Tag><Key>a b</Key><Value>c&amp;d</Value></Tag><Tag><Key>e</Key><Value/></Tag>"
    assert xml.parse_tags(f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()) == {"a b": "c&d", "e": ""}
    assert xml.parse_tags(b"<Tagging><TagSet/></Tagging>") == {}


def test_error_document() -> None:
    body = b'<?xml version="1.0"?>\n<Error xmlns="http://x"><Code>NoSuchKey</Code><EC/></Error>'
    assert xml.parse_error(body) == {"Code": "NoSuchKey", "EC": ""}


@pytest.mark.parametrize("body", [b"", b"<html>", b"<html/>", b"<Error><Code>Cut", b"\xff\xfe", b"not XML"])
def test_what_is_no_error_document_is_empty(body: bytes) -> None:
    assert xml.parse_error(body) == {}


def _etag(body: bytes) -> str:
    return xml.parse_etag(body, "CopyPartResult")


PARSERS: list[Callable[[bytes], object]] = [
    xml.parse_upload_id,
    _etag,
    xml.parse_parts,
    xml.parse_uploads,
    xml.parse_objects,
    xml.parse_buckets,
]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not XML"),
        (b"<html><body>502 Bad Gateway", "not XML but b'<html><body>502 Bad Gateway'"),
        (b"<html/>", "a 'html' document instead of .*: perhaps a proxy answered"),
        (b'<?xml version="1.0" encoding="martian"?><a/>', "not XML"),
    ],
)
def test_what_is_not_from_oss_is_a_fault_of_the_transport(
    parse: Callable[[bytes], object], body: bytes, said: str
) -> None:
    with pytest.raises(TransportError, match=said):
        parse(body)


@pytest.mark.parametrize("number", [b"", b"x", b"-1", b"1.0", "\u0661".encode(), b"9" * 21])
def test_numbers_are_checked(number: bytes) -> None:
    part = b"<PartNumber>" + number + b"</PartNumber><Size>1</Size><ETag>E</ETag>"
    with pytest.raises(TransportError, match="PartNumber"):
        xml.parse_parts(b"<ListPartsResult><Part>" + part + b"</Part></ListPartsResult>")


@pytest.mark.parametrize(
    ("parse", "body", "missing"),
    [
        (xml.parse_upload_id, b"<InitiateMultipartUploadResult/>", "UploadId"),
        (_etag, b"<CopyPartResult/>", "ETag"),
        (xml.parse_parts, b"<ListPartsResult><Part/></ListPartsResult>", "PartNumber"),
        (
            xml.parse_parts,
            b"<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>",
            "NextPartNumberMarker",
        ),
        (xml.parse_uploads, b"<ListMultipartUploadsResult><Upload/></ListMultipartUploadsResult>", "UploadId"),
        (
            xml.parse_objects,
            b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "NextContinuationToken",
        ),
    ],
)
def test_missing_elements_are_named(parse: Callable[[bytes], object], body: bytes, missing: str) -> None:
    with pytest.raises(TransportError, match=f"no {missing} in its"):
        parse(body)


def test_entities_do_not_explode() -> None:
    entities = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"ha" * 10) for n in range(12))
    body = (
        b"<!DOCTYPE x ["
        + entities
        + b"]><InitiateMultipartUploadResult><UploadId>&e11;</UploadId></InitiateMultipartUploadResult>"
    )
    with pytest.raises(TransportError, match="not XML"):
        xml.parse_upload_id(body)


def test_a_key_with_control_characters_in_a_deletion_names_itself() -> None:
    # A parser turns a carriage return into a line feed: another object would be deleted.
    assert b"<Key>a&#13;b&#1;c&amp;</Key>" in xml.render_delete(["a\rb\x01c&"])
