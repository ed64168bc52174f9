"""Whatever comes off the wire, only our exceptions come out."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import OSSResumeError, TransportError
from airflow_provider_oss_resume.oss import xml
from airflow_provider_oss_resume.oss.errors import retry_after, service_error
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.oss.redaction import redact
from airflow_provider_oss_resume.oss.replies import object_info

ROOTS = (
    "Error InitiateMultipartUploadResult CompleteMultipartUploadResult ListPartsResult "
    "ListMultipartUploadsResult ListBucketResult html"
).split()
NAMES = (
    "Code Message EC UploadId ETag Part PartNumber Size HashCrc64ecma IsTruncated NextPartNumberMarker Upload Key "
    "EncodingType NextKeyMarker Contents NextContinuationToken ServerTime SecurityToken"
).split()
TEXT = st.text(max_size=30) | st.sampled_from(["true", "url", "%", "%E6%", "-1", "1e9", "\uff19", "0" * 30])


def element(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"


INNER = st.recursive(
    TEXT.map(escape),
    lambda inner: st.lists(st.builds(element, st.sampled_from(NAMES), inner), max_size=5).map("".join),
    max_leaves=12,
)
# Three kinds of garbage: none of it XML, XML of the right words in the wrong places, and the same cut short.
DOCUMENTS = st.builds(element, st.sampled_from(ROOTS), INNER).map(lambda text: text.encode("utf-8", "replace"))
CUT = st.builds(lambda body, end: body[:end], DOCUMENTS, st.integers(0, 200))
BODIES = st.binary(max_size=200) | DOCUMENTS | CUT


def _etag(body: bytes) -> str:
    return xml.parse_etag(body, "CompleteMultipartUploadResult")


PARSERS: list[Callable[[bytes], object]] = [
    xml.parse_upload_id,
    _etag,
    xml.parse_parts,
    xml.parse_uploads,
    xml.parse_objects,
    xml.parse_buckets,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(body=BODIES)
@example(body=b"<?xml version='1.0' encoding='utf-16'?><Error/>")
@example(body=b"<?xml version='1.0' encoding='utf-7'?><Error/>")
def test_parsers(parse: Callable[[bytes], object], body: bytes) -> None:
    with contextlib.suppress(TransportError):
        parse(body)


HEADERS = st.dictionaries(
    st.sampled_from("x-oss-err x-oss-ec x-oss-qos-delay-time retry-after date content-length etag".split()),
    TEXT
    | st.sampled_from(["Wed, 28 Dec 2022 10:27:41 GMT", "Wed, 99 Dec 2022 99:27:41 +9999", "9" * 400])
    | BODIES.map(lambda body: base64.b64encode(body).decode()),
)


@given(st.integers(100, 999), HEADERS, BODIES)
@example(403, {}, b"<Error><ServerTime>9999-12-31T23:59:59-23:59</ServerTime></Error>")
@example(403, {}, b"<Error><ServerTime>0001-01-01T00:00:00+23:59</ServerTime></Error>")
@example(403, {"date": "Wed, 28 Dec 99999 10:27:41 GMT"}, b"")
@example(403, {"date": "Mon, 01 Jan 0001 00:00:00 +2359"}, b"")
def test_error_replies(status: int, headers: dict[str, str], body: bytes) -> None:
    error = service_error(status, headers, body, "GetObject", "b/k")
    assert f"HTTP {status}" in str(error)


@given(HEADERS)
def test_headers(headers: dict[str, str]) -> None:
    with contextlib.suppress(OSSResumeError):
        object_info(headers)
    asked = retry_after(headers)
    assert asked is None or 0 <= asked < float("inf")


@given(st.text(max_size=100), st.from_regex(r"\ACAIS[A-Za-z0-9+/]{40,60}={0,2}\Z"), st.text(max_size=100))
def test_no_token_gets_through(before: str, token: str, after: str) -> None:
    body = (
        f"<Error><Code>SecurityTokenExpired</Code><Message>{escape(before)} {token} {escape(after)}</Message></Error>"
    )
    assert token not in redact(f"{before} {token} {after}")
    assert token not in str(service_error(403, {}, body.encode("utf-8", "replace"), "PutObject", "b/k"))


PARTS = st.lists(
    st.builds(
        Part,
        number=st.integers(1, 10_000),
        size=st.integers(0, 5 << 30),
        etag=st.text("0123456789ABCDEF", min_size=32, max_size=32),
        crc64=st.none() | st.integers(0, 2**64 - 1),
    ),
    max_size=5,
)


@given(PARTS)
def test_listed_parts_are_what_oss_holds(parts: list[Part]) -> None:
    rows = "".join(
        element(
            "Part",
            f"<PartNumber>{part.number}</PartNumber><Size>{part.size}</Size><ETag>&quot;{part.etag}&quot;</ETag>"
            + ("" if part.crc64 is None else f"<HashCrc64ecma>{part.crc64}</HashCrc64ecma>"),
        )
        for part in parts
    )
    assert xml.parse_parts(element("ListPartsResult", rows).encode()).parts == tuple(parts)
