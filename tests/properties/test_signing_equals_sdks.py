"""Random requests must be signed exactly as both official Python SDKs sign them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.parse import quote as percent_encode

import oss2
from alibabacloud_oss_v2 import signer as sdk_signer
from alibabacloud_oss_v2.credentials import Credentials as SdkCredentials
from alibabacloud_oss_v2.types import HttpRequest, SigningContext
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from airflow_provider_oss_resume.oss.signing import SignableRequest, SignerV1, SignerV4
from airflow_provider_oss_resume.oss.signing.v1 import SIGNED_SUB_RESOURCES

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"])
# SDK v2 signs only the x-oss- parameters that it knows, and hypothesis finds the prefix in the source.
OTHER_NAMES = TEXT.filter(lambda name: bool(name) and not name.startswith("x-oss-"))
QUERY = st.dictionaries(OTHER_NAMES | st.sampled_from(sorted(SIGNED_SUB_RESOURCES)), TEXT, max_size=5).filter(
    lambda query: not set(query) & {"security-token", "Signature"}
)
OSS_HEADERS = st.dictionaries(NAMES.map("x-oss-{}".format), VALUES, max_size=4)
CONTENT = st.fixed_dictionaries({}, optional={"Content-Type": VALUES, "Content-MD5": VALUES})
HEADERS = st.builds(lambda own, content: {**own, **content}, OSS_HEADERS, CONTENT)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(
    lambda when: when.replace(microsecond=0, tzinfo=timezone.utc)
)
REQUESTS = st.builds(
    SignableRequest, METHODS, st.just("bucket"), TEXT.filter(lambda key: not key.startswith("/")), QUERY, HEADERS
)
TOKENS = st.none() | NAMES


def sdk_v2_context(request: SignableRequest, token: str | None, when: datetime) -> Any:
    url = f"https://bucket.oss-cn-hangzhou.aliyuncs.com/{percent_encode(request.key or '', safe='/')}"
    query = "&".join(
        f"{percent_encode(name, safe='')}={percent_encode(value, safe='')}" if value else percent_encode(name, safe="")
        for name, value in request.query.items()
    )
    context = SigningContext(
        product="oss",
        region="cn-hangzhou",
        bucket=request.bucket,
        key=request.key,
        request=HttpRequest(request.method, f"{url}?{query}" if query else url, headers=dict(request.headers)),
        credentials=SdkCredentials("ak", "sk", token),
        signing_time=when,
    )
    context.sub_resource = [name for name in request.query if name in SIGNED_SUB_RESOURCES]
    return context


def sdk_v2_authorization(signer: Any, request: SignableRequest, token: str | None, when: datetime) -> str:
    context = sdk_v2_context(request, token, when)
    signer.sign(context)
    return str(context.request.headers["Authorization"])


def sdk_v2_query(signer: Any, request: SignableRequest, token: str | None, when: datetime) -> dict[str, str]:
    """Return the parameters that the SDK adds to a URL."""
    context = sdk_v2_context(request, token, when)
    context.auth_method_query = True
    context.expiration_time = when + timedelta(seconds=599)
    signer.sign(context)
    pairs = dict(parse_qsl(urlsplit(context.request.url).query, keep_blank_values=True))
    return {name: value for name, value in pairs.items() if name not in request.query}


@given(REQUESTS, TOKENS, MOMENTS)
def test_v4_equals_sdk_v2(request_: SignableRequest, token: str | None, when: datetime) -> None:
    ours = SignerV4("cn-hangzhou").sign(request_, Credentials("ak", "sk", token), when)
    assert ours["Authorization"] == sdk_v2_authorization(sdk_signer.SignerV4(), request_, token, when)


@given(REQUESTS, TOKENS, MOMENTS)
def test_v4_in_the_query_equals_sdk_v2(request_: SignableRequest, token: str | None, when: datetime) -> None:
    ours = SignerV4("cn-hangzhou").presign(request_, Credentials("ak", "sk", token), when, 599)
    assert ours == sdk_v2_query(sdk_signer.SignerV4(), request_, token, when)


@given(REQUESTS, MOMENTS)
def test_v1_equals_sdk_v2(request_: SignableRequest, when: datetime) -> None:
    # No token: SDK v2 sends it unprefixed and so unsigned (oss-protocol.md section 2.2).
    ours = SignerV1().sign(request_, Credentials("ak", "sk"), when)
    assert ours["Authorization"] == sdk_v2_authorization(sdk_signer.SignerV1(), request_, None, when)


@given(REQUESTS, TOKENS, MOMENTS)
def test_v1_in_the_query_equals_sdk_v2(request_: SignableRequest, token: str | None, when: datetime) -> None:
    ours = SignerV1().presign(request_, Credentials("ak", "sk", token), when, 599)
    assert ours == sdk_v2_query(sdk_signer.SignerV1(), request_, token, when)


def oss2_request(request: SignableRequest) -> Any:
    http = oss2.http.Request(
        request.method,
        "https://x/",
        params=dict(request.query),
        headers=dict(request.headers),
        region="cn-hangzhou",
        product="oss",
    )
    for extra in ("User-Agent", "Accept-Encoding", "Accept", "Connection"):
        http.headers.pop(extra, None)
    return http


@contextmanager
def frozen_oss2(when: datetime) -> Iterator[None]:
    """Give oss2's signers the moment that ours are given: they read the clock in a function of their own."""
    saved = oss2.utils.http_date, oss2.auth.datetime

    class Clock(datetime):
        @classmethod
        def utcnow(cls) -> datetime:  # type: ignore[override]
            return when.replace(tzinfo=None)

    oss2.utils.http_date = lambda _timeval=None: format_datetime(when, usegmt=True)
    oss2.auth.datetime = Clock
    try:
        yield
    finally:
        oss2.utils.http_date, oss2.auth.datetime = saved


def oss2_authorization(auth: Any, request: SignableRequest, when: datetime) -> str:
    http = oss2_request(request)
    with frozen_oss2(when):
        auth._sign_request(http, request.bucket, request.key)
    return str(http.headers["Authorization"])


def signed(name: str) -> bool:
    return name in SIGNED_SUB_RESOURCES or name.startswith("x-oss-")


def authorization_fields(header: str) -> set[str]:
    return set(re.split(r",\s*| ", header))


OSS2_KNOWS = oss2.ProviderAuth._subresource_key_set
OSS2_REQUESTS = REQUESTS.filter(
    # oss2 lists its signed parameters by name only and knows fewer; and it strips names of blanks
    lambda request: all(name == name.strip() and (name in OSS2_KNOWS or not signed(name)) for name in request.query)
)


@given(OSS2_REQUESTS, TOKENS, MOMENTS)
def test_v4_equals_oss2(request_: SignableRequest, token: str | None, when: datetime) -> None:
    provider = oss2.credentials.StaticCredentialsProvider("ak", "sk", token or "")
    theirs = oss2_authorization(oss2.ProviderAuthV4(provider), request_, when)
    ours = SignerV4("cn-hangzhou").sign(request_, Credentials("ak", "sk", token), when)["Authorization"]
    assert authorization_fields(theirs) == authorization_fields(ours)


@given(OSS2_REQUESTS, TOKENS, MOMENTS)
def test_v1_equals_oss2(request_: SignableRequest, token: str | None, when: datetime) -> None:
    provider = oss2.credentials.StaticCredentialsProvider("ak", "sk", token or "")
    theirs = oss2_authorization(oss2.ProviderAuth(provider), request_, when)
    assert theirs == SignerV1().sign(request_, Credentials("ak", "sk", token), when)["Authorization"]
