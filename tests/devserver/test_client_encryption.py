"""What the server checks of an upload that its client encrypts (oss-protocol.md section 8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from tests.devserver.wire import MIN_PART, Wire

PREFIX = "x-oss-meta-client-side-encryption-"
PART_SIZE = 102_400
HEADERS = {
    f"{PREFIX}key": "a2V5",
    f"{PREFIX}start": "aXY=",
    f"{PREFIX}cek-alg": "AES/CTR/NoPadding",
    f"{PREFIX}wrap-alg": "RSA/NONE/PKCS1Padding",
    f"{PREFIX}data-size": str(PART_SIZE + 5),
    f"{PREFIX}part-size": str(PART_SIZE),
}


def test_a_whole_upload_and_what_list_parts_tells_of_it(wire: Wire) -> None:
    upload_id = wire.initiate("key", HEADERS)
    etags = [
        (n, wire.part("key", upload_id, n, b"x" * size, HEADERS).headers["etag"])
        for n, size in ((1, PART_SIZE), (2, 5))
    ]
    listed = wire.send("GET", "key", {"uploadId": upload_id})
    expected = {
        "ClientEncryptionKey": "a2V5",
        "ClientEncryptionStart": "aXY=",
        "ClientEncryptionCekAlg": "AES/CTR/NoPadding",
        "ClientEncryptionWrapAlg": "RSA/NONE/PKCS1Padding",
        "ClientEncryptionDataSize": str(PART_SIZE + 5),
        "ClientEncryptionPartSize": str(PART_SIZE),
    }
    assert {name: listed.text(name) for name in expected} == expected
    assert wire.complete("key", upload_id, etags).status == 200
    assert wire.send("HEAD", "key").headers[f"{PREFIX}key"] == "a2V5"


@pytest.mark.parametrize(
    "changed",
    [{f"{PREFIX}part-size": "102401"}, {f"{PREFIX}part-size": "102384"}, {f"{PREFIX}data-size": "many"}],
)
def test_sizes_that_cannot_be_decrypted_are_refused(wire: Wire, changed: dict[str, str]) -> None:
    answer = wire.send("POST", "key", {"uploads": ""}, {**HEADERS, **changed})
    assert answer.error == (400, "InvalidEncryptionRequest")


def test_a_part_has_no_other_headers_than_initiate(wire: Wire) -> None:
    upload_id = wire.initiate("key", HEADERS)
    answer = wire.part("key", upload_id, 1, b"x", {**HEADERS, f"{PREFIX}start": "b3RoZXI="})
    assert (answer.error, answer.ec) == ((400, "InvalidEncryptionRequest"), "0005-00000413")


def test_a_part_may_have_no_headers_as_the_java_sdk_sends_it_or_further_ones(wire: Wire) -> None:
    upload_id = wire.initiate("key", HEADERS)
    assert wire.part("key", upload_id, 1, b"x").status == 200
    assert wire.part("key", upload_id, 1, b"x", {**HEADERS, f"{PREFIX}matdesc": "{}"}).status == 200


def test_a_copied_part_needs_no_headers(wire: Wire) -> None:
    wire.send("PUT", "plain", body=b"x" * 16)
    upload_id = wire.initiate("key", HEADERS)
    query = {"partNumber": "1", "uploadId": upload_id}
    assert wire.send("PUT", "key", query, {"x-oss-copy-source": f"/{wire.bucket}/plain"}).status == 200


def test_the_strict_mode_requires_the_headers_on_each_part(tmp_path: Path) -> None:
    with DevServer(tmp_path, buckets=("examplebucket",), options=("--strict-client-encryption",)) as server:
        wire = Wire(server.url, "examplebucket")
        upload_id = wire.initiate("key", HEADERS)
        answer = wire.part("key", upload_id, 1, b"x")
        assert (answer.error, answer.ec) == ((400, "InvalidEncryptionRequest"), "0005-00000413")
        assert wire.part("key", upload_id, 1, b"x", HEADERS).status == 200


def test_no_more_parts_than_announced(wire: Wire) -> None:
    answer = wire.part("key", wire.initiate("key", HEADERS), 3, b"x", HEADERS)
    assert (answer.error, answer.ec) == ((400, "InvalidEncryptionRequest"), "0005-00000411")


def test_no_other_size_than_announced(wire: Wire) -> None:
    upload_id = wire.initiate("key", HEADERS)
    etag = wire.part("key", upload_id, 1, b"x" * MIN_PART, HEADERS).headers["etag"]
    answer = wire.complete("key", upload_id, [(1, etag)])
    assert (answer.error, answer.ec) == ((400, "InvalidEncryptionRequest"), "0005-00000420")


def test_an_encrypted_object_is_no_source_of_a_part(wire: Wire) -> None:
    wire.send("PUT", "key", {}, {f"{PREFIX}key": "a2V5", f"{PREFIX}start": "aXY="}, b"x")
    upload_id = wire.initiate("other")
    query = {"partNumber": "1", "uploadId": upload_id}
    answer = wire.send("PUT", "other", query, {"x-oss-copy-source": f"/{wire.bucket}/key"})
    assert answer.error == (400, "OperationNotSupported")
