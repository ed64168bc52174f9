"""What the client makes of a service that fails: what it sends again, how often, and what it says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ClockSkewError,
    CredentialsExpiredError,
    IntegrityError,
    NoSuchUploadError,
    OSSResumeError,
    ServerFaultError,
    ThrottledError,
    TransportError,
)
from airflow_provider_oss_resume.oss import Credentials, OSSClient, RetryPolicy
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.fakes import BlockBody, RenewableProvider
from tests.server.conftest import BUCKET, TOKENS, ClientFactory

PART = bytes(range(256)) * 4096  # 1 MiB: more than the sockets between the two hold
SERVICE_LOG = "airflow_provider_oss_resume.oss.service"

PASSING = [
    FaultRule(FaultKind.REPLY, status=500),
    FaultRule(FaultKind.REPLY, status=503, code="ServiceUnavailable"),
    FaultRule(FaultKind.REPLY, status=502, body="<html>Bad Gateway</html>"),
    FaultRule(FaultKind.REPLY, status=400, code="RequestTimeout"),
    FaultRule(FaultKind.REPLY, status=400, code="InvalidDigest"),
    FaultRule(FaultKind.ERROR_BODY, code="InternalError"),
    FaultRule(FaultKind.RESET, when=FaultMoment.BEFORE),
    FaultRule(FaultKind.RESET, when=FaultMoment.MIDDLE),
    FaultRule(FaultKind.RESET, when=FaultMoment.AFTER),
    FaultRule(FaultKind.DROP_REPLY),
    FaultRule(FaultKind.CORRUPT, offset=70_000),
]


def name_of(rule: object) -> str:
    assert isinstance(rule, FaultRule)
    return "-".join((rule.kind.value, str(rule.status), rule.code, rule.when.value))


@pytest.fixture
def upload_id(client: OSSClient, key: str) -> str:
    return client.initiate_multipart_upload(BUCKET, key)


@pytest.mark.parametrize("rule", PASSING, ids=name_of)
@pytest.mark.parametrize("in_blocks", [False, True], ids=["bytes", "blocks"])
def test_a_part_is_sent_again_until_oss_holds_it(
    server: DevServer, client: OSSClient, key: str, upload_id: str, rule: FaultRule, in_blocks: bool
) -> None:
    server.plan(rule)
    body = BlockBody(PART) if in_blocks else PART
    part = client.upload_part(BUCKET, key, upload_id, 3, body)
    assert list(client.list_parts(BUCKET, key, upload_id)) == [part]
    assert (part.size, part.crc64) == (len(PART), crc64(PART))
    assert len(server.requests("UploadPart")) == 2


READS: list[tuple[str, Callable[[OSSClient, str], object]]] = [
    (
        "ListParts",
        lambda client, key: list(client.list_parts(BUCKET, key, client.initiate_multipart_upload(BUCKET, key))),
    ),
    ("ListMultipartUploads", lambda client, key: list(client.list_multipart_uploads(BUCKET, key))),
    ("ListObjectsV2", lambda client, key: list(client.list_objects(BUCKET, key))),
    ("HeadObject", lambda client, key: client.head_object(BUCKET, key)),
    ("GetObject", lambda client, key: client.get_object(BUCKET, key).__enter__()[1]),
    ("InitiateMultipartUpload", lambda client, key: client.initiate_multipart_upload(BUCKET, key)),
    ("PutObject", lambda client, key: client.put_object(BUCKET, key, b"y")),
    ("DeleteObject", lambda client, key: client.delete_object(BUCKET, key)),
]


@pytest.mark.parametrize(("operation", "call"), READS, ids=[name for name, _ in READS])
def test_other_operations_are_tried_again_too(
    server: DevServer, client: OSSClient, key: str, operation: str, call: Callable[[OSSClient, str], object]
) -> None:
    client.put_object(BUCKET, key, b"x")
    server.clear_requests()
    server.plan(
        FaultRule(FaultKind.REPLY, operation, status=503, code="ServiceUnavailable"),
        FaultRule(FaultKind.RESET, operation, when=FaultMoment.AFTER),
    )
    call(client, key)
    assert [record.status for record in server.requests(operation)] == [503, 0, 204 if "Delete" in operation else 200]


def test_complete_is_never_sent_again_blindly(server: DevServer, client: OSSClient, key: str, upload_id: str) -> None:
    parts = [client.upload_part(BUCKET, key, upload_id, 1, b"x")]
    server.plan(
        FaultRule(FaultKind.REPLY, "CompleteMultipartUpload", status=500),
        FaultRule(FaultKind.ERROR_BODY, "CompleteMultipartUpload", code="InternalError"),
        FaultRule(FaultKind.DROP_REPLY, "CompleteMultipartUpload"),
    )
    for expected in (ServerFaultError, ServerFaultError, TransportError):
        with pytest.raises(expected):
            client.complete_multipart_upload(BUCKET, key, upload_id, parts)
    assert len(server.requests("CompleteMultipartUpload")) == 3
    with pytest.raises(NoSuchUploadError):  # the last one was done, although its reply was lost
        client.complete_multipart_upload(BUCKET, key, upload_id, parts)
    assert client.head_object(BUCKET, key).size == 1


def test_bytes_damaged_twice_are_not_sent_a_third_time(
    server: DevServer, client: OSSClient, key: str, upload_id: str
) -> None:
    server.plan(FaultRule(FaultKind.CORRUPT, "UploadPart", count=2, offset=7))
    with pytest.raises(IntegrityError, match=rf"part 3 of {BUCKET}/{key} has CRC-64 \d+ in OSS but {crc64(PART)} at"):
        client.upload_part(BUCKET, key, upload_id, 3, PART)


def test_each_attempt_reads_its_bytes_anew(server: DevServer, client: OSSClient, key: str, upload_id: str) -> None:
    server.plan(FaultRule(FaultKind.RESET, "UploadPart", when=FaultMoment.AFTER))
    body = BlockBody(b"first content!")

    def rewrite(_position: int) -> None:
        if body.reads == 2:
            body.content = b"other content!"

    body.on_block = rewrite
    body.block_size = 7
    part = client.upload_part(BUCKET, key, upload_id, 1, body)
    assert body.reads == 2
    assert part.crc64 == body.crc64


def test_a_service_that_stays_down_is_given_up_with_its_last_words(
    server: DevServer, make_client: ClientFactory, key: str
) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "PutObject", count=2, status=500, ec="0001", message="Try later."))
    client = make_client(server.url, retry=RetryPolicy(max_elapsed=0.0, base_delay=0.01))
    with pytest.raises(ServerFaultError, match=r"InternalError: Try later. .*EC 0001, request id") as caught:
        client.put_object(BUCKET, key, b"x")
    assert not caught.value.permanent


def test_what_oss_asks_to_wait_is_waited(
    server: DevServer, client: OSSClient, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan(
        FaultRule(FaultKind.REPLY, "PutObject", status=503, code="SlowDown", headers={"x-oss-qos-delay-time": "300"})
    )
    client.put_object(BUCKET, key, b"x")
    [said] = [record for record in caplog.records if record.name == SERVICE_LOG]
    assert isinstance(said.args, tuple)
    attempt, delay, error = said.args
    assert attempt == 1
    assert isinstance(delay, float)
    assert 0.3 <= delay < 0.33
    assert isinstance(error, ThrottledError)
    first, second = server.requests("PutObject")
    assert second.time - first.time >= 0.25  # at least the wait; how much more is not ours to say


def test_a_log_line_tells_what_is_sent_again_and_why(
    server: DevServer, client: OSSClient, key: str, upload_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan(FaultRule(FaultKind.RESET, "UploadPart", when=FaultMoment.AFTER))
    client.upload_part(BUCKET, key, upload_id, 3, b"x")
    assert f"UploadPart {BUCKET}/{key}, part 3, upload {upload_id} failed: PUT to 127.0.0.1:" in caplog.text


class TestClock:
    @pytest.fixture(params=["v4", "v1"])
    def version(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_a_wrong_clock_is_corrected_once_and_for_all(
        self, tmp_path: Path, make_client: ClientFactory, version: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with DevServer(tmp_path, buckets=(BUCKET,), clock_offset=-86_400.0) as server:
            client = make_client(server.url, signature_version=version)
            for number in range(3):
                client.put_object(BUCKET, f"k{number}", b"x")
            client.fork().put_object(BUCKET, "forked", b"x")
            statuses = [record.status for record in server.requests()]
        assert statuses == [403, 200, 200, 200, 200]
        assert "the cause is corrected, retrying" in caplog.text

    def test_skew_as_v4_reports_it_in_some_regions(self, server: DevServer, client: OSSClient, key: str) -> None:
        message = "Invalid signing date in Authorization header."
        server.plan(FaultRule(FaultKind.REPLY, status=400, code="InvalidArgument", message=message))
        client.put_object(BUCKET, key, b"x")
        assert [record.status for record in server.requests()] == [400, 200]

    def test_a_correction_that_does_not_help_is_the_last(self, server: DevServer, client: OSSClient, key: str) -> None:
        server.plan(FaultRule(FaultKind.REPLY, count=2, status=403, code="RequestTimeTooSkewed"))
        with pytest.raises(ClockSkewError, match="synchronize it with NTP"):
            client.put_object(BUCKET, key, b"x")
        assert len(server.requests()) == 2

    def test_the_body_is_sent_whole_again(self, tmp_path: Path, make_client: ClientFactory) -> None:
        # ali-oss#604: the retry after a correction sent nothing, and made an object of no bytes
        with DevServer(tmp_path, buckets=(BUCKET,), clock_offset=3_600.0) as server:
            client = make_client(server.url)
            client.put_object(BUCKET, "k", BlockBody(PART))
            assert client.head_object(BUCKET, "k").size == len(PART)


class TestToken:
    @pytest.fixture
    def provider(self) -> RenewableProvider:
        return RenewableProvider(["unknown", *TOKENS])

    def test_an_expired_token_is_renewed_once_and_the_upload_continues(
        self, server: DevServer, make_client: ClientFactory, key: str, provider: RenewableProvider
    ) -> None:
        provider.refreshes = 1
        client = make_client(server.url, provider)
        upload_id = client.initiate_multipart_upload(BUCKET, key)
        server.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="SecurityTokenExpired"))
        part = client.upload_part(BUCKET, key, upload_id, 1, PART)
        client.complete_multipart_upload(BUCKET, key, upload_id, [part])
        assert provider.refreshes == 2
        assert client.head_object(BUCKET, key).crc64 == crc64(PART)

    def test_many_threads_renew_it_once(
        self, server: DevServer, make_client: ClientFactory, key: str, provider: RenewableProvider
    ) -> None:
        client = make_client(server.url, provider)
        start = threading.Barrier(4)
        done: list[str] = []

        def put(number: int) -> None:
            start.wait()
            done.append(client.put_object(BUCKET, f"{key}-{number}", b"x").etag)

        threads = [threading.Thread(target=put, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(done) == 4
        assert provider.refreshes == 1

    def test_a_renewal_that_does_not_help_is_the_last(
        self, server: DevServer, make_client: ClientFactory, key: str
    ) -> None:
        provider = RenewableProvider(["unknown-1", "unknown-2", "unknown-3"])
        with pytest.raises(CredentialsExpiredError):
            make_client(server.url, provider).put_object(BUCKET, key, b"x")
        assert provider.refreshes == 1
        assert len(server.requests()) == 2

    def test_credentials_that_cannot_be_renewed_fail_without_showing_the_token(
        self, server: DevServer, make_client: ClientFactory, key: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        client = make_client(server.url, Credentials("test-id", "test-secret", TOKENS[3]))
        server.plan(FaultRule(FaultKind.EXPIRE_TOKEN, "HeadObject"))
        with pytest.raises(OSSResumeError):
            client.head_object(BUCKET, key)
        with pytest.raises(CredentialsExpiredError, match="Renew the STS token of the connection") as caught:
            client.put_object(BUCKET, key, b"x")
        assert len(server.requests("PutObject")) == 1
        for shown in (str(caught.value), repr(caught.value.details), caplog.text):
            assert TOKENS[3] not in shown


def test_a_refusal_is_not_tried_again(server: DevServer, client: OSSClient, key: str) -> None:
    server.plan(FaultRule(FaultKind.REPLY, status=403, code="AccessDenied", message="Not for you."))
    with pytest.raises(AccessDeniedError, match="RAM policy"):
        client.put_object(BUCKET, key, b"x")
    assert len(server.requests()) == 1


def test_an_upload_that_is_gone_is_not_tried_again(
    server: DevServer, client: OSSClient, key: str, upload_id: str
) -> None:
    server.plan(FaultRule(FaultKind.UPLOAD_GONE, "UploadPart"))
    with pytest.raises(NoSuchUploadError) as caught:
        client.upload_part(BUCKET, key, upload_id, 1, b"x")
    assert upload_id in str(caught.value)
    assert len(server.requests("UploadPart")) == 1


def test_a_server_that_comes_back_is_found_again(tmp_path: Path, make_client: ClientFactory) -> None:
    with DevServer(tmp_path, buckets=(BUCKET,)) as server:
        client = make_client(server.url)
        upload_id = client.initiate_multipart_upload(BUCKET, "k")
        first = client.upload_part(BUCKET, "k", upload_id, 1, PART)
        server.kill()
        restart = threading.Timer(0.5, server.start)
        restart.start()
        second = client.upload_part(BUCKET, "k", upload_id, 2, b"tail")
        restart.join()
        client.complete_multipart_upload(BUCKET, "k", upload_id, [first, second])
        assert client.head_object(BUCKET, "k").crc64 == crc64(PART + b"tail")
