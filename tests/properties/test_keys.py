"""A key means the same object wherever it is written: in a URL, in a signature, in a listing."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import xml
from airflow_provider_oss_resume.oss.addressing import parse_endpoint, require_key
from airflow_provider_oss_resume.oss.replies import copy_source
from airflow_provider_oss_resume.oss.signing import SignableRequest, quote, v4

KEYS = (
    st.text(st.characters(codec="utf-8") | st.sampled_from(list("/+% ?#&=\\~.")), min_size=1, max_size=60)
    .filter(lambda key: key[0] not in "/\\")
    .filter(lambda key: len(key.encode()) <= 1023)
)


@pytest.mark.parametrize("style", ["virtual", "path", "cname"])
@given(key=KEYS)
def test_a_url_leads_back_to_its_key(style: str, key: str) -> None:
    url = parse_endpoint("https://example.com", style).url("bucket", require_key(key), {"versionId": "1"})
    parts = urlsplit(url)
    assert parts.query == "versionId=1"
    assert unquote(parts.path).removeprefix("/bucket" if style == "path" else "") == f"/{key}"
    assert url.isascii()


@given(KEYS)
def test_the_path_on_the_wire_is_the_path_that_is_signed(key: str) -> None:
    url = parse_endpoint("http://127.0.0.1").url("bucket", key, {})
    assert v4.canonical_request(SignableRequest("GET", "bucket", key)).split("\n")[1] == urlsplit(url).path


@given(KEYS)
def test_listings_and_copies_keep_keys(key: str) -> None:
    body = (
        "<ListMultipartUploadsResult><EncodingType>url</EncodingType><Upload>"
        f"<Key>{escape(quote(key))}</Key><UploadId>ID</UploadId></Upload></ListMultipartUploadsResult>"
    )
    assert [upload.key for upload in xml.parse_uploads(body.encode()).uploads] == [key]
    assert unquote(copy_source(("bucket", key))) == f"/bucket/{key}"


PIECES = st.sampled_from(
    "http https oss :// : / // ; @ . - ? # [ ] :: 443 0 99999 1.2.3.4 oss-cn-hangzhou cn-hangzhou .aliyuncs.com "
    "-internal examplebucket. s3. oss-accelerate .oss .oss-data-acc ep-1 ü A \x00".split(" ")
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=8).map("".join)))
@example("0\rA")
def test_every_refused_endpoint_gets_a_legal_one(text: str) -> None:
    try:
        parse_endpoint(text)
    except ConfigurationError as error:
        said = str(error)
        remedy = re.findall(r"write (?:it as )?(https?://\S+?)(?:,|$)", said)
        assert len(remedy) == 1 or "put the access key into the connection" in said
        for endpoint in remedy:
            parse_endpoint(endpoint)
