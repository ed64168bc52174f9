"""Credentials of every source on the wire, and tokens that end in the middle of an upload."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.devserver.http.request_log import RequestRecord
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    CredentialsExpiredError,
    TransportError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.credentials import CredentialSettings, make_provider
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, CredentialsProvider
from airflow_provider_oss_resume.transfer import concurrency
from airflow_provider_oss_resume.upload import Cancel
from tests.server.conftest import BUCKET, ClientFactory
from tests.server.uploads import PARTS, Scene, content

ROLE = "acs:ram::123456789012:role/uploader"
KEY = {"access_key_id": "test-id", "access_key_secret": "test-secret"}
OSS_OPERATIONS = ("InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "oidc-token"
    file.write_text("header.payload.signature")
    return file


def provider_of(server: DevServer, kind: str, token_file: Path, **changes: Any) -> CredentialsProvider:
    """Return a provider that asks the dev server's stand-ins."""
    values: dict[str, dict[str, Any]] = {
        "ram_role_arn": {**KEY, "role_arn": ROLE, "sts_endpoint": server.sts_url, "policy": '{"a": "b c+d"}'},
        "oidc": {
            "role_arn": ROLE,
            "oidc_provider_arn": "acs:ram::1:oidc-provider/ack-rrsa",
            "oidc_token_file_path": str(token_file),
            "sts_endpoint": server.sts_url,
        },
        "ecs_ram_role": {"metadata_endpoint": server.metadata_url},
        "uri": {"credentials_uri": server.credentials_uri},
    }
    return make_provider(CredentialSettings(kind, **{**values[kind], **changes}), environ={})


ASKED = {
    "ram_role_arn": ["AssumeRole"],
    "oidc": ["AssumeRoleWithOIDC"],
    "ecs_ram_role": ["MetadataToken", "MetadataRole", "MetadataCredentials"],
    "uri": ["CredentialsURI"],
}
FETCH = {kind: asked[-1] for kind, asked in ASKED.items()}
KINDS = pytest.mark.parametrize("kind", ASKED)


def key_of(record: RequestRecord) -> str:
    """Return the access key id that a request was signed with."""
    return record.headers["authorization"].partition("Credential=")[2].partition("/")[0]


class TestSources:
    @KINDS
    def test_its_keys_are_taken_by_oss(
        self, server: DevServer, make_client: ClientFactory, token_file: Path, key: str, kind: str
    ) -> None:
        client = make_client(server.url, provider_of(server, kind, token_file))
        client.put_object(BUCKET, key, b"x")
        client.delete_object(BUCKET, key)
        assert [record.operation for record in server.requests()] == [*ASKED[kind], "PutObject", "DeleteObject"]
        [put] = server.requests("PutObject")
        assert key_of(put).startswith("STS.")
        assert put.headers["x-oss-security-token"] == "***"

    def test_the_metadata_service_is_asked_with_a_token(self, server: DevServer, token_file: Path) -> None:
        provider_of(server, "ecs_ram_role", token_file).get_credentials()
        [token] = server.requests("MetadataToken")
        assert token.headers["x-aliyun-ecs-metadata-token-ttl-seconds"] == "60"
        assert [record.headers["x-aliyun-ecs-metadata-token"] for record in server.requests()[1:]] == ["***", "***"]

    def test_a_role_taken_with_a_role(self, server: DevServer, token_file: Path) -> None:
        first = provider_of(server, "ram_role_arn", token_file).get_credentials()
        second = provider_of(
            server,
            "ram_role_arn",
            token_file,
            access_key_id=first.access_key_id,
            access_key_secret=first.access_key_secret,
            security_token=first.security_token,
        ).get_credentials()
        assert second.access_key_id not in ("test-id", first.access_key_id)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"access_key_secret": "wrong"}, "SignatureDoesNotMatch .*The access key secret is wrong"),
            ({"access_key_id": "nobody"}, "InvalidAccessKeyId.NotFound: .*The access key id is wrong or disabled"),
            ({"security_token": "nobody's"}, "InvalidAccessKeyId"),
        ],
    )
    def test_a_base_key_that_sts_refuses(
        self, server: DevServer, token_file: Path, changes: dict[str, str], said: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"no credentials from STS for {ROLE}: {said}") as caught:
            provider_of(server, "ram_role_arn", token_file, **changes).get_credentials()
        assert "test-secret" not in str(caught.value)

    def test_a_role_name_that_the_instance_has_not(self, server: DevServer, token_file: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"NotFound .*Attach a RAM role"):
            provider_of(server, "ecs_ram_role", token_file, role_name="another").get_credentials()

    def test_a_clock_that_is_off_is_set_by_that_of_sts(self, tmp_path: Path, token_file: Path) -> None:
        with DevServer(tmp_path / "late", clock_offset=7200.0) as late:
            provider = provider_of(late, "ram_role_arn", token_file)
            provider.get_credentials()
            provider.get_credentials()
            codes = [record.code for record in late.requests("AssumeRole")]
        assert codes == ["InvalidTimeStamp.Expired", ""]  # and the token is not taken for an old one


class TestFaults:
    @KINDS
    def test_a_source_that_is_down_is_asked_again(
        self, server: DevServer, make_client: ClientFactory, token_file: Path, key: str, kind: str
    ) -> None:
        server.plan(FaultRule(FaultKind.REPLY, FETCH[kind], status=503, code="ServiceUnavailable", count=2))
        make_client(server.url, provider_of(server, kind, token_file)).put_object(BUCKET, key, b"x")
        assert [record.status for record in server.requests(FETCH[kind])] == [503, 503, 200]

    def test_a_source_that_nobody_is_at(self, server: DevServer, token_file: Path) -> None:
        provider = provider_of(server, "ram_role_arn", token_file, sts_endpoint="http://127.0.0.1:1")
        with pytest.raises(TransportError, match=rf"no credentials from STS for {ROLE}: POST to 127.0.0.1:1 "):
            provider.get_credentials()

    def test_a_refusal_is_final(self, server: DevServer, make_client: ClientFactory, token_file: Path) -> None:
        server.plan(FaultRule(FaultKind.REPLY, "AssumeRole", status=403, code="NoPermission"))
        with pytest.raises(ConfigurationError, match=r"NoPermission: .*Allow sts:AssumeRole"):
            make_client(server.url, provider_of(server, "ram_role_arn", token_file)).delete_object(BUCKET, "k")
        assert [record.operation for record in server.requests()] == ["AssumeRole"]


class TestExpiry:
    """A token that OSS refuses in the middle of an upload that eight threads send."""

    @pytest.fixture(autouse=True)
    def eight_from_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(concurrency, "START", 8)

    def upload(self, scene: Scene, make_client: ClientFactory, provider: object) -> Scene:
        scene = replace(scene, client=make_client(scene.server.url, provider))
        scene.file.write_bytes(content(40 * 102_400 - 5))
        scene.assert_done(scene.upload(max_concurrency=8))
        return scene

    @KINDS
    @pytest.mark.parametrize("seed", range(3))
    def test_at_a_random_part(
        self, scene: Scene, make_client: ClientFactory, token_file: Path, kind: str, seed: int
    ) -> None:
        part = random.Random(f"{kind}{seed}").randint(1, 40)
        scene.fault(FaultKind.EXPIRE_TOKEN, "UploadPart", part_number=part)
        self.upload(scene, make_client, provider_of(scene.server, kind, token_file))
        assert_only_the_refused_were_sent_again(scene.server)
        refused = [record.part_number for record in scene.server.requests("UploadPart") if record.status != 200]
        assert part in refused
        assert len(refused) <= 8
        assert len(scene.server.requests(FETCH[kind])) == 2  # at the start, and once for all threads

    @pytest.mark.parametrize("operation", OSS_OPERATIONS)
    def test_at_any_operation(self, scene: Scene, make_client: ClientFactory, token_file: Path, operation: str) -> None:
        scene.fault(FaultKind.EXPIRE_TOKEN, operation)
        self.upload(scene, make_client, provider_of(scene.server, "ram_role_arn", token_file))
        assert_only_the_refused_were_sent_again(scene.server)
        assert scene.count("InitiateMultipartUpload") == (2 if operation == "InitiateMultipartUpload" else 1)

    @KINDS
    def test_of_which_oss_says_that_it_is_not_valid(
        self, scene: Scene, make_client: ClientFactory, token_file: Path, kind: str
    ) -> None:
        """As where a role's sessions were ended by hand."""
        scene.fail("UploadPart", 403, "InvalidSecurityToken", part_number=20)
        self.upload(scene, make_client, provider_of(scene.server, kind, token_file))
        assert_only_the_refused_were_sent_again(scene.server)
        assert len(scene.server.requests(FETCH[kind])) == 2

    def test_while_sts_is_down(self, scene: Scene, make_client: ClientFactory, token_file: Path) -> None:
        scene.fault(FaultKind.EXPIRE_TOKEN, "UploadPart", skip=20)
        scene.fail("AssumeRole", 500, "InternalError", skip=1, count=3)
        self.upload(scene, make_client, provider_of(scene.server, "ram_role_arn", token_file))
        assert_only_the_refused_were_sent_again(scene.server)

    def test_of_a_lifetime_that_is_shorter_than_the_upload(
        self, scene: Scene, make_client: ClientFactory, token_file: Path
    ) -> None:
        scene.server.set_token_lifetime(0.7)
        scene.fault(FaultKind.THROTTLE, "UploadPart", bytes_per_second=150_000, count=None)
        try:
            self.upload(scene, make_client, provider_of(scene.server, "oidc", token_file))
        finally:
            scene.server.set_token_lifetime(None)
        assert_only_the_refused_were_sent_again(scene.server)
        assert scene.count("AssumeRoleWithOIDC") >= 2

    def test_of_a_source_that_does_not_tell_the_end(
        self, scene: Scene, make_client: ClientFactory, token_file: Path
    ) -> None:
        """As some other library's: only OSS says that the token has ended."""
        inner = provider_of(scene.server, "ram_role_arn", token_file)

        class Silent:
            def __init__(self) -> None:
                self.held = inner.get_credentials()

            def get_credential(self) -> Credentials:
                return replace(self.held, expires_at=None)

            def refresh(self) -> None:
                inner.refresh()  # type: ignore[attr-defined]
                self.held = inner.get_credentials()

        scene.server.set_token_lifetime(0.7)
        provider = Silent()
        scene.server.set_token_lifetime(None)
        scene.fault(FaultKind.THROTTLE, "UploadPart", bytes_per_second=150_000, count=None)
        self.upload(scene, make_client, provider)
        codes = {record.code for record in scene.server.requests("UploadPart")}
        assert codes == {"", "SecurityTokenExpired"}
        assert_only_the_refused_were_sent_again(scene.server)

    def test_of_keys_that_cannot_be_renewed_is_reported(
        self, scene: Scene, make_client: ClientFactory, token_file: Path
    ) -> None:
        keys = provider_of(scene.server, "uri", token_file).get_credentials()
        scene = replace(scene, client=make_client(scene.server.url, keys))
        scene.fault(FaultKind.EXPIRE_TOKEN, "UploadPart", part_number=3)
        with pytest.raises(CredentialsExpiredError, match="use an auth_type that renews it") as caught:
            scene.upload()
        assert (keys.security_token or "?") not in str(caught.value)
        scene.server.clear_requests()
        scene = replace(scene, client=make_client(scene.server.url))  # the next try, with another key
        scene.assert_done(scene.upload())
        assert scene.sent() == list(range(3, PARTS + 1))


def assert_only_the_refused_were_sent_again(server: DevServer) -> None:
    for operation in OSS_OPERATIONS:
        done = [record for record in server.requests(operation) if record.status == 200]
        assert len(done) == len({record.part_number for record in done})
    codes = {record.code for record in server.requests("UploadPart")}
    assert codes <= {"", "SecurityTokenExpired", "InvalidSecurityToken"}
    by_key: dict[str, list[int]] = {}
    for record in server.requests("UploadPart"):
        by_key.setdefault(key_of(record), []).append(record.part_number or 0)
    for parts in by_key.values():  # with the same keys nothing went twice, refused or not
        assert len(parts) == len(set(parts))


def test_a_cancel_does_not_wait_for_sts(scene: Scene, make_client: ClientFactory, token_file: Path) -> None:
    scene.fault(FaultKind.EXPIRE_TOKEN, "UploadPart", part_number=3)
    scene.fault(FaultKind.DELAY, "AssumeRole", seconds=8.0, skip=1)
    cancel = Cancel()
    stop_when(lambda: any(record.code == "SecurityTokenExpired" for record in scene.server.requests()), cancel)
    scene = replace(scene, client=make_client(scene.server.url, provider_of(scene.server, "ram_role_arn", token_file)))
    with pytest.raises(UploadCancelled):
        scene.upload(cancel=cancel)
    assert [record.status for record in scene.server.requests("AssumeRole")] == [200]  # the other is still waiting


def stop_when(condition: Callable[[], bool], cancel: Cancel) -> None:
    def watch() -> None:
        while not condition():
            time.sleep(0.02)
        cancel.request("a test")

    threading.Thread(target=watch, daemon=True).start()
