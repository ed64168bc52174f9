"""Which request carries which option (oss-protocol.md section 1.2), and what is refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.upload.object_options import COMPLETE, INITIATE, PART, PUT, ObjectOptions, places

OPERATIONS = (PUT, INITIATE, PART, COMPLETE)
OBJECT = {PUT, INITIATE}
CALLBACK = {"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "bucket=${bucket}"}


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    ("options", "name", "value", "carried_by"),
    [
        ({"content_type": "text/x-orders"}, "content-type", "text/x-orders", OBJECT),
        ({"headers": {"Cache-Control": "no-store"}}, "cache-control", "no-store", OBJECT),
        ({"headers": {"Content-Disposition": "inline"}}, "content-disposition", "inline", OBJECT),
        ({"headers": {"Content-Encoding": "zstd"}}, "content-encoding", "zstd", OBJECT),
        ({"headers": {"Content-Language": "de"}}, "content-language", "de", OBJECT),
        ({"headers": {"Expires": "0"}}, "expires", "0", OBJECT),
        ({"metadata": {"Owner": "Zoë"}}, "x-oss-meta-owner", "Zoë", OBJECT),
        ({"headers": {"x-oss-meta-empty": ""}}, "x-oss-meta-empty", "", OBJECT),
        ({"storage_class": "IA"}, "x-oss-storage-class", "IA", OBJECT),
        ({"tags": {"a b": "c/d", "é": ""}}, "x-oss-tagging", "a%20b=c/d&%C3%A9=", OBJECT),
        ({"server_side_encryption": "AES256"}, "x-oss-server-side-encryption", "AES256", OBJECT),
        (
            {"server_side_encryption": "KMS", "kms_key_id": "9468"},
            "x-oss-server-side-encryption-key-id",
            "9468",
            OBJECT,
        ),
        (
            {"server_side_encryption": "KMS", "server_side_data_encryption": "SM4"},
            "x-oss-server-side-data-encryption",
            "SM4",
            OBJECT,
        ),
        ({"replace": False}, "x-oss-forbid-overwrite", "true", {PUT, INITIATE, COMPLETE}),
        ({"acl": "public-read"}, "x-oss-object-acl", "public-read", {PUT, COMPLETE}),
        ({"callback": CALLBACK}, "x-oss-callback", encoded(CALLBACK), {PUT, COMPLETE}),
        (
            {"callback": CALLBACK, "callback_vars": {"x:run": "1"}},
            "x-oss-callback-var",
            encoded({"x:run": "1"}),
            {PUT, COMPLETE},
        ),
        ({"traffic_limit": 819_200}, "x-oss-traffic-limit", "819200", {PUT, PART}),
        ({"headers": {"x-oss-request-payer": "requester"}}, "x-oss-request-payer", "requester", set(OPERATIONS)),
    ],
)
def test_each_option_goes_where_oss_takes_it(
    options: dict[str, Any], name: str, value: str, carried_by: set[str]
) -> None:
    made = ObjectOptions(**options)
    assert {one: made.headers_for(one, "a").get(name) for one in OPERATIONS} == {
        one: value if one in carried_by else None for one in OPERATIONS
    }


def test_a_plain_upload_says_only_what_it_is() -> None:
    plain = ObjectOptions()
    assert plain.headers_for(INITIATE, "a.csv") == plain.headers_for(PUT, "a.csv") == {"content-type": "text/csv"}
    assert plain.headers_for(PART, "a.csv") == plain.headers_for(COMPLETE, "a.csv") == {}


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("a.json", "application/json"),
        ("a.csv.gz", "application/gzip"),  # not text/csv: these are compressed bytes
        ("a.csv.bz2", "application/x-bzip2"),  # was text/csv (issue 8, A4)
        ("a.csv.xz", "application/x-xz"),
        ("a.CSV.ZST", "application/zstd"),
        ("x.tar.bz2", "application/x-bzip2"),
        ("x.tgz", "application/gzip"),
        ("x.json.br", "application/octet-stream"),
        ("x.json.Z", "application/x-compress"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.avro", "application/vnd.apache.avro"),
        ("a.orc", "application/octet-stream"),
        ("a.jsonl", "application/jsonl"),
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a.md", "text/markdown"),
        ("a.webp", "image/webp"),
        ("a.b/c", "application/octet-stream"),
        (".gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
def test_the_content_type_is_guessed_from_the_key(key: str, content_type: str) -> None:
    assert ObjectOptions().headers_for(PUT, key)["content-type"] == content_type


def test_a_given_content_type_wins_over_a_guess() -> None:
    given = ObjectOptions(headers={"Content-TYPE": "text/plain"})
    assert given.headers_for(PUT, "a.csv")["content-type"] == "text/plain"


@pytest.mark.parametrize(
    "changed",
    [
        {"content_type": "text/plain"},
        {"headers": {"content-type": "application/octet-stream"}},  # even where the guess would say the same
        {"headers": {"cache-control": "no-store"}},
        {"metadata": {"a": "b"}},
        {"storage_class": "IA"},
        {"tags": {"a": "b"}},
        {"server_side_encryption": "AES256"},
        {"server_side_encryption": "KMS", "server_side_data_encryption": "SM4"},
        {"replace": False},
    ],
)
def test_the_digest_tells_headers_that_initiate_fixes(changed: dict[str, Any]) -> None:
    assert ObjectOptions(**changed).digest("a") != ObjectOptions().digest("a")


@pytest.mark.parametrize("changed", [{"acl": "private"}, {"callback": CALLBACK}, {"traffic_limit": 819_200}])
def test_the_digest_ignores_what_can_still_be_changed(changed: dict[str, Any]) -> None:
    assert ObjectOptions(**changed).digest("a") == ObjectOptions().digest("a")


def test_the_digest_ignores_a_guess_because_another_worker_may_guess_otherwise() -> None:
    assert ObjectOptions().digest("a.csv") == ObjectOptions().digest("a.json")


def test_the_digest_ignores_the_order_of_headers() -> None:
    one, other = {"a": "1", "b": "2"}, {"B": "2", "A": "1"}
    assert ObjectOptions(metadata=one).digest("a") == ObjectOptions(metadata=other).digest("a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acl": "secret"}, "unknown acl 'secret': use one of default, private"),
        ({"storage_class": "Cold"}, "unknown storage_class 'Cold': use one of Standard"),
        ({"server_side_encryption": "ROT13"}, "unknown server_side_encryption 'ROT13': use one of AES256"),
        ({"kms_key_id": "9468"}, "kms_key_id needs server_side_encryption='KMS': give both"),
        ({"server_side_encryption": "AES256", "kms_key_id": "9468"}, "kms_key_id needs"),
        ({"server_side_encryption": "KMS", "kms_key_id": 9468}, "'kms_key_id' of type int: it must be a string"),
        ({"traffic_limit": 245_759}, "traffic_limit 245759 is out of bounds: OSS accepts 245760 to 838860800"),
        ({"traffic_limit": 838_860_801}, "traffic_limit 838860801 is out of bounds"),
        ({"traffic_limit": "819200"}, "traffic_limit '819200' is out of bounds"),
        ({"content_type": 5}, "'content_type' of type int: it must be a string"),
        ({"content_type": "text/plain\r\nx-evil: 1"}, "'content_type' holds a control character: remove"),
        ({"tags": {"rate": "5%"}}, r"tag 'rate' with value '5%' has '%': use letters, digits, spaces and"),
        ({"tags": {"owner@team": "a|b"}}, r"has '@\|'"),
        ({"headers": {"x-oss-tagging": "a=b%7Cc"}}, r"tag 'a' with value 'b\|c' has '\|'"),
        ({"metadata": {"a_b": "1"}}, "illegal metadata name 'a_b': use letters, digits and hyphens"),
        ({"metadata": {"": "1"}}, "illegal metadata name ''"),
        ({"metadata": {"x-oss-meta-a": "1"}}, "metadata name 'x-oss-meta-a' has the prefix twice: write 'a'"),
        ({"metadata": {"a": 1}}, "metadata has 'a' of type int: it must be a string"),
        ({"metadata": {"a": "1\n2"}}, "metadata 'a' holds a control character"),
        ({"metadata": {"a": "é" * 4096}}, "metadata has 8193 bytes: OSS accepts 8192"),
        ({"metadata": "{'a': 'b'}"}, "must be a mapping of strings to strings"),
        ({"headers": {"x-oss-new": "1"}}, "header 'x-oss-new' is not supported: use one of cache-control,"),
        ({"headers": {"Content-Length": "1"}}, "header 'Content-Length' is set by the upload itself: leave it out"),
        ({"headers": {"Cache-Control": 5}}, "headers has 'Cache-Control' of type int: it must be a string"),
        ({"headers": {"Cache-Control": "a\x00"}}, "headers 'Cache-Control' holds a control character"),
        ({"headers": ["Cache-Control"]}, "must be a mapping"),
        ({"tags": {f"k{number}": "v" for number in range(11)}}, "11 tags: OSS accepts 10"),
        ({"tags": {"": "v"}}, "illegal tag '': names have 1 to 128 bytes, values up to 256"),
        ({"tags": {"é" * 65: "v"}}, "illegal tag"),
        ({"tags": {"k": "v" * 257}}, "illegal tag 'k'"),
        ({"tags": {"k": None}}, "tags has 'k' of type NoneType: it must be a string"),
        ({"callback": {"callbackUrl": "http://127.0.0.1/"}}, "callback needs callbackUrl and callbackBody"),
        ({"callback": "http://127.0.0.1/"}, "callback is 'http://127.0.0.1/': give a mapping"),
        ({"callback": {**CALLBACK, "callbackHost": object()}}, "callback cannot be written as JSON"),
        ({"callback_vars": {"x:a": "1"}}, "callback_vars without a callback: give both"),
        ({"callback": CALLBACK, "callback_vars": {"a": "1"}}, "illegal callback variable 'a': it must start with 'x:'"),
        ({"callback": CALLBACK, "callback_vars": {"x:A": "1"}}, "illegal callback variable 'x:A'.*lower case"),
        ({"callback": CALLBACK, "callback_vars": ["x:a"]}, "callback_vars is .*give a mapping"),
        ({"callback": CALLBACK, "callback_vars": {"x:a": 1}}, "'x:a' has type int: it must be a string"),
        ({"callback": {**CALLBACK, "callbackUrl": 5}}, "callbackUrl and callbackBody: give both, as strings"),
        ({"callback": {**CALLBACK, "callbackUrl": "h;" * 5 + "h"}}, "callbackUrl has more than 5 addresses"),
        ({"callback": {**CALLBACK, "callbackBodyType": "text/xml"}}, "unknown callbackBodyType 'text/xml': use one of"),
        ({"callback": {**CALLBACK, "n": float("nan")}}, "callback cannot be written as JSON"),
        ({"callback": {**CALLBACK, "callbackBody": "b" * 5200}}, "callback has 5... bytes: OSS accepts 5120"),
        ({"replace": "no"}, "replace is 'no': it must be True or False"),
        ({"metadata": {"a": "\udcff"}}, "metadata 'a' is not valid Unicode: read it with its right encoding"),
        ({"tags": {"a": "\udcff"}}, "tags 'a' is not valid Unicode"),
        ({"metadata": {"client-side-encryption-key": "a"}}, "'client-side-encryption-key' is set by client-side"),
        ({"server_side_data_encryption": "SM4"}, "server_side_data_encryption needs server_side_encryption='KMS'"),
        ({"server_side_encryption": "KMS", "server_side_data_encryption": "ROT13"}, "unknown server_side_data_encrypt"),
    ],
)
def test_what_oss_would_refuse_is_refused_before_anything_is_sent(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ObjectOptions(**options)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x-oss-object-acl": "secret"}, "unknown acl 'secret': use one of default"),
        ({"X-OSS-Storage-Class": "Cold"}, "unknown storage_class 'Cold': use one of Standard"),
        ({"x-oss-server-side-encryption": "ROT13"}, "unknown server_side_encryption 'ROT13'"),
        ({"x-oss-server-side-encryption-key-id": "9468"}, "kms_key_id needs server_side_encryption='KMS'"),
        ({"x-oss-server-side-data-encryption": "SM4"}, "server_side_data_encryption needs"),
        ({"x-oss-forbid-overwrite": "perhaps"}, "unknown x-oss-forbid-overwrite 'perhaps': use one of true, false"),
        ({"x-oss-request-payer": "me"}, "unknown x-oss-request-payer 'me': use one of requester"),
        ({"x-oss-traffic-limit": "5"}, "traffic_limit 5 is out of bounds"),
        ({"x-oss-traffic-limit": "fast"}, "traffic_limit 'fast' is out of bounds"),
        ({"x-oss-tagging": "&".join(f"k{number}=v" for number in range(11))}, "11 tags: OSS accepts 10"),
        ({"x-oss-tagging": "a=1&a=2"}, "x-oss-tagging 'a=1&a=2' names a tag twice: keep one"),
        ({"x-oss-tagging": "a"}, "x-oss-tagging is 'a': write it as k=v&k2=v2, or give tags"),
        ({"x-oss-callback": "{}"}, "header 'x-oss-callback' is not the Base64 of JSON: give callback instead"),
        ({"x-oss-callback": encoded({})}, "callback needs callbackUrl and callbackBody"),
        ({"x-oss-callback-var": encoded({"x:a": "1"})}, "callback_vars without a callback"),
        ({"x-oss-meta-a_b": "1"}, "illegal metadata name 'a_b'"),
        ({"x-oss-meta-a\r\nx-evil": "1"}, "illegal metadata name"),
        ({"x-oss-meta-a": "b" * 8192}, "metadata has 8193 bytes"),
    ],
)
def test_what_is_given_as_a_header_is_judged_like_an_option(headers: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ObjectOptions(headers=headers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"content_type": "a/b", "headers": {"Content-Type": "c/d"}}, "content-type is given as 'c/d' and as 'a/b'"),
        ({"acl": "private", "headers": {"x-oss-object-acl": "public-read"}}, "x-oss-object-acl is given as"),
        ({"headers": {"Expires": "0", "expires": "1"}}, "expires is given as '0' and as '1': keep one"),
        ({"metadata": {"Run": "1", "run": "2"}}, "x-oss-meta-run is given as '1' and as '2': keep one"),
        ({"metadata": {"run": "1"}, "headers": {"x-oss-meta-run": "2"}}, "x-oss-meta-run is given as '2' and as '1'"),
        ({"replace": False, "headers": {"x-oss-forbid-overwrite": "false"}}, "x-oss-forbid-overwrite is given as"),
    ],
)
def test_what_is_given_twice_and_disagrees_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ObjectOptions(**options)


def test_what_is_given_twice_and_agrees_is_taken() -> None:
    made = ObjectOptions(
        acl="private", kms_key_id="9468", headers={"x-oss-object-acl": "private", "X-OSS-Server-Side-Encryption": "KMS"}
    )
    assert made.headers_for(COMPLETE, "a") == {"x-oss-object-acl": "private"}
    assert made.headers_for(INITIATE, "a")["x-oss-server-side-encryption"] == "KMS"


def test_what_is_just_legal_is_taken() -> None:
    ObjectOptions(
        metadata={"a": "é" * 4095 + "b"},
        tags={"é" * 64: "v" * 256, **{f"k{number}": "" for number in range(9)}},
        traffic_limit=245_760,
    )


def test_an_unknown_header_has_no_place() -> None:
    assert places("x-oss-unknown") == frozenset()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metadata": {"a": "\udcff"}}, "metadata 'a' is not valid Unicode"),
        ({"tags": {"\udcff": "a"}}, "tags .* is not valid Unicode"),
        ({"content_type": "\udcff"}, "option 'content_type' is not valid Unicode"),
        ({"metadata": {"A": "1", "a": "2"}}, "x-oss-meta-a is given as '1' and as '2': keep one"),
        ({"headers": {"Expires": "1", "expires": "2"}}, "expires is given as '1' and as '2': keep one"),
        ({"headers": {"x-oss-object-acl": "open"}}, "unknown acl 'open': use one of default, private"),
        ({"headers": {"X-OSS-Storage-Class": "standard"}}, "unknown storage_class 'standard'"),
        ({"headers": {"x-oss-server-side-encryption": "AES"}}, "'AES': use one of AES256, KMS, SM4"),
        ({"headers": {"x-oss-forbid-overwrite": "yes"}}, "'yes': use one of true, false"),
        ({"headers": {"x-oss-traffic-limit": "1"}}, "traffic_limit 1 is out of bounds"),
        ({"headers": {"x-oss-traffic-limit": "10M"}}, "traffic_limit '10M' is out of bounds"),
        ({"replace": "no"}, "replace is 'no': it must be True or False"),
    ],
)
def test_what_oss_would_refuse_only_at_the_end(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ObjectOptions(**options)


def test_tags_may_differ_by_case() -> None:
    assert ObjectOptions(tags={"A": "1", "a": "2"}).tags == {"A": "1", "a": "2"}
