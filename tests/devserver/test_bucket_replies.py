"""What the replies about a bucket hold, and how a bucket without further features answers."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.oss.signing import SignableRequest, SignerV4
from tests.devserver.wire import MIN_PART, Wire

CLASSES = ("Standard", "InfrequentAccess", "Archive", "ColdArchive", "DeepColdArchive")


def test_endpoints_name_the_dev_server(wire: Wire) -> None:
    own = wire.url.removeprefix("http://")
    info = wire.send("GET", None, {"bucketInfo": ""})
    listed = wire.with_(bucket="").send("GET", None, {"prefix": wire.bucket})
    found = [info.text(f"Bucket/{name}net" + "Endpoint") for name in ("Extra", "Intra")]
    found += [listed.text(f"Buckets/Bucket/{name}net" + "Endpoint") for name in ("Extra", "Intra")]
    assert found == [own] * 4


@pytest.mark.parametrize("host", ["oss-cn-hangzhou.aliyuncs.com", "{bucket}.oss-cn-hangzhou.aliyuncs.com"])
def test_endpoints_never_name_the_real_service(wire: Wire, host: str) -> None:
    headers = {"Host": host.format(bucket=wire.bucket)}
    request = SignableRequest("GET", wire.bucket, None, {"bucketInfo": ""}, {})
    sent = {**headers, **wire.signer.sign(request, wire.credentials, wire.now())}
    target = "/?bucketInfo" if host.startswith("{") else f"/{wire.bucket}/?bucketInfo"
    answer = wire.raw("GET", target, sent)
    assert answer.status == 200, answer.body
    assert answer.text("Bucket/ExtranetEndpoint") == wire.url.removeprefix("http://")
    assert b"aliyuncs.com" not in answer.body


def test_virtual_host_endpoint_is_without_the_bucket(wire: Wire) -> None:
    request = SignableRequest("GET", wire.bucket, None, {"bucketInfo": ""}, {})
    sent = {
        "Host": f"{wire.bucket}.localhost:9000",
        **wire.signer.sign(request, wire.credentials, wire.now()),
    }
    assert wire.raw("GET", "/?bucketInfo", sent).text("Bucket/ExtranetEndpoint") == "localhost:9000"


def test_bucket_info_has_every_element(wire: Wire) -> None:
    bucket = wire.send("GET", None, {"bucketInfo": ""}).xml()[0]
    assert {child.tag for child in bucket} == set(
        """AccessControlList AccessMonitor BlockPublicAccess BucketPolicy Comment CreationDate
        CrossRegionReplication DataRedundancyType ExtranetEndpoint IntranetEndpoint Location Name Owner Region
        ResourceGroupId ServerSideEncryptionRule StorageClass TransferAcceleration""".split()
    )


def test_bucket_stat_has_every_element_and_counts_by_class(wire: Wire) -> None:
    wire.send("PUT", "a", body=b"12345")
    wire.send("PUT", "b", {}, {"x-oss-storage-class": "IA"}, b"123")
    upload_id = wire.initiate("c")
    wire.part("c", upload_id, 1, b"x" * MIN_PART)
    stat = {child.tag: child.text for child in wire.send("GET", None, {"stat": ""}).xml()}
    assert {f"{name}Storage" for name in CLASSES} | {f"{name}ObjectCount" for name in CLASSES} <= set(stat)
    assert {f"{name}RealStorage" for name in CLASSES[1:]} <= set(stat)
    assert (stat["Storage"], stat["ObjectCount"], stat["StandardStorage"]) == ("8", "2", "5")
    assert (stat["InfrequentAccessStorage"], stat["InfrequentAccessObjectCount"]) == ("3", "1")
    assert (stat["MultipartUploadCount"], stat["MultipartPartCount"], stat["LiveChannelCount"]) == ("1", "1", "0")
    assert int(stat["LastModifiedTime"] or "") > 0


def test_a_bucket_without_versions_lists_the_current_ones(wire: Wire) -> None:
    for key in ("a", "b", "sub/c"):
        wire.send("PUT", key, body=b"x")
    page = wire.send("GET", None, {"versions": "", "delimiter": "/"})
    assert page.texts("Version/Key") == ["a", "b"]
    assert page.texts("Version/VersionId") == ["null", "null"]
    assert page.texts("Version/IsLatest") == ["true", "true"]
    assert page.texts("CommonPrefixes/Prefix") == ["sub/"]
    first = wire.send("GET", None, {"versions": "", "max-keys": "1"})
    assert (first.text("IsTruncated"), first.text("NextKeyMarker")) == ("true", "a")
    rest = wire.send("GET", None, {"versions": "", "key-marker": "a"})
    assert rest.texts("Version/Key") == ["b", "sub/c"]


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("versioning", "VersioningConfiguration"),
        ("live", "ListLiveChannelResult"),
        ("requestPayment", "RequestPaymentConfiguration"),
        ("tagging", "Tagging"),
    ],
)
def test_features_that_a_client_asks_about_are_off(wire: Wire, name: str, root: str) -> None:
    assert wire.send("GET", None, {name: ""}).xml().tag == root
    assert wire.send("PUT", None, {name: ""}).status == 400


def test_a_wrong_region_is_named_with_its_ec(wire: Wire) -> None:
    answer = wire.with_(signer=SignerV4("cn-beijing")).send("GET", "key")
    assert (answer.error, answer.ec) == ((400, "InvalidArgument"), "0002-00000226")
    assert answer.text("Message") == "Invalid signing region in Authorization header."
    assert (answer.text("Authorization") or "").startswith("OSS4-HMAC-SHA256 Credential=test-id/")
