"""Each planned fault as a client meets it. The ``server`` fixture fails a test whose faults did not fire."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultMoment, FaultRule, RequestRecord
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials
from tests.devserver.wire import MIN_PART, Wire, content_md5, half_a_request, md5

CUT = (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)
SIZE = 3 << 20


def last(server: DevServer, operation: str) -> RequestRecord:
    return server.requests(operation)[-1]


def test_a_reply_in_place_of_the_operation(server: DevServer, wire: Wire) -> None:
    rule = FaultRule(
        FaultKind.REPLY,
        "PutObject",
        status=503,
        code="UploadTrafficRateLimitExceeded",
        ec="0055-00000001",
        headers={"x-oss-qos-delay-time": "50"},
    )
    server.plan(rule)
    answer = wire.send("PUT", "key", body=b"x" * 1000)
    assert (answer.error, answer.ec) == ((503, "UploadTrafficRateLimitExceeded"), "0055-00000001")
    assert answer.headers["x-oss-qos-delay-time"] == "50"
    record = last(server, "PutObject")
    assert (record.fault, record.status, record.code, record.body_bytes) == ("reply", 503, rule.code, 1000)
    assert wire.send("HEAD", "key").status == 404
    assert wire.send("PUT", "key", body=b"x").status == 200


def test_a_proxys_page_in_place_of_xml(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.REPLY, status=413, body="<html>too large</html>"))
    answer = wire.send("PUT", "key", body=b"x")
    assert (answer.status, answer.body) == (413, b"<html>too large</html>")
    server.plan(FaultRule(FaultKind.REPLY, status=502, body=""))
    assert wire.send("GET", "key").body == b""


def test_success_by_status_and_an_error_by_body(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.ERROR_BODY, "CompleteMultipartUpload", code="InternalError"))
    upload_id = wire.initiate("key")
    parts = [(1, wire.part("key", upload_id, 1, b"x").headers["etag"])]
    assert wire.complete("key", upload_id, parts).error == (200, "InternalError")
    assert wire.send("HEAD", "key").status == 404
    assert wire.complete("key", upload_id, parts).status == 200


def test_a_fault_on_head_keeps_to_the_form_of_head(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "HeadObject", status=500))
    answer = wire.send("HEAD", "key")
    assert (answer.status, answer.body) == (500, b"")
    assert "x-oss-err" in answer.headers


@pytest.mark.parametrize("when", list(FaultMoment))
def test_a_delay(server: DevServer, wire: Wire, when: FaultMoment) -> None:
    server.plan(FaultRule(FaultKind.DELAY, "PutObject", seconds=0.3, when=when))
    start = time.monotonic()
    assert wire.send("PUT", "key", body=b"x").status == 200
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("when", [FaultMoment.BEFORE, FaultMoment.AFTER])
def test_a_delay_ends_when_the_plan_is_cleared(server: DevServer, wire: Wire, when: FaultMoment) -> None:
    server.plan(FaultRule(FaultKind.DELAY, "PutObject", seconds=3600, when=when))
    with ThreadPoolExecutor(1) as threads:
        put = threads.submit(wire.send, "PUT", "key", body=b"x")
        while server.unfired():
            assert not put.done()
        server.clear_faults()
        assert put.result(60).status == 200


def test_a_slow_reader(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.THROTTLE, "PutObject", bytes_per_second=100_000))
    start = time.monotonic()
    assert wire.send("PUT", "key", body=b"x" * 40_000).status == 200
    assert time.monotonic() - start >= 0.4
    assert wire.send("GET", "key").body == b"x" * 40_000


@pytest.mark.parametrize(
    ("when", "low", "high"),
    [(FaultMoment.BEFORE, 0, 0), (FaultMoment.MIDDLE, SIZE // 2, SIZE - 1), (FaultMoment.AFTER, SIZE, SIZE)],
)
def test_a_reset_and_nothing_is_applied(server: DevServer, wire: Wire, when: FaultMoment, low: int, high: int) -> None:
    server.plan(FaultRule(FaultKind.RESET, "PutObject", when=when))
    with pytest.raises(CUT):
        wire.send("PUT", "key", body=b"x" * SIZE)
    record = last(server, "PutObject")
    assert (record.status, record.fault) == (0, "reset")
    assert low <= record.body_bytes <= high
    assert wire.send("HEAD", "key").status == 404


def test_a_reset_behind_so_many_bytes(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.RESET, "PutObject", when=FaultMoment.MIDDLE, after_bytes=100_000))
    with pytest.raises(CUT):
        wire.send("PUT", "key", body=b"x" * SIZE)
    assert 100_000 <= last(server, "PutObject").body_bytes < SIZE


def test_applied_and_the_reply_lost(server: DevServer, wire: Wire) -> None:
    upload_id = wire.initiate("key")
    server.plan(FaultRule(FaultKind.DROP_REPLY, "UploadPart"), FaultRule(FaultKind.DROP_REPLY, "Complete*"))
    with pytest.raises(CUT):
        wire.part("key", upload_id, 1, b"x")
    assert wire.send("GET", "key", {"uploadId": upload_id}).texts("Part/ETag") == [f'"{md5(b"x")}"']
    with pytest.raises(CUT):
        wire.complete("key", upload_id, [(1, md5(b"x"))])
    assert wire.send("GET", "key").body == b"x"
    assert wire.complete("key", upload_id, [(1, md5(b"x"))]).error == (404, "NoSuchUpload")


def test_corruption_on_the_way_shows_in_the_replys_checksum(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.CORRUPT, "PutObject", offset=1))
    answer = wire.send("PUT", "key", body=b"abc")
    assert answer.headers["x-oss-hash-crc64ecma"] == str(crc64(b"acc"))
    assert wire.send("GET", "key").body == b"acc"


def test_corruption_on_the_way_is_refused_where_the_md5_is_given(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.CORRUPT, "PutObject", offset=SIZE - 1))
    body = b"x" * SIZE
    answer = wire.send("PUT", "key", {}, {"Content-MD5": content_md5(body)}, body)
    assert answer.error == (400, "InvalidDigest")


def test_an_expired_token_stays_expired_and_another_one_works(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.EXPIRE_TOKEN, "PutObject"))
    first = wire.with_(credentials=Credentials("test-id", "test-secret", "token-2"))
    for _ in range(2):
        answer = first.send("PUT", "key", body=b"x")
        assert (answer.error, answer.ec) == ((403, "SecurityTokenExpired"), "0002-00000007")
        assert answer.text("SecurityToken") == "token-2"
    renewed = wire.with_(credentials=Credentials("test-id", "test-secret", "token-1"))
    assert renewed.send("PUT", "key", body=b"x").status == 200


def test_an_upload_that_is_gone(server: DevServer, wire: Wire) -> None:
    upload_id = wire.initiate("key")
    wire.part("key", upload_id, 1, b"x")
    server.plan(FaultRule(FaultKind.UPLOAD_GONE, "UploadPart", part_number=2))
    assert wire.part("key", upload_id, 2, b"x").error == (404, "NoSuchUpload")
    assert wire.send("GET", "key", {"uploadId": upload_id}).error == (404, "NoSuchUpload")


def test_one_part_of_many_and_only_twice(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "UploadPart", key="big*", part_number=2, count=2))
    upload_id, other = wire.initiate("big"), wire.initiate("small")
    assert [wire.part("small", other, 2, b"x").status for _ in range(2)] == [200, 200]
    assert [wire.part("big", upload_id, n, b"x").status for n in (1, 2, 2, 2, 3)] == [200, 500, 500, 200, 200]


def test_a_client_that_goes_away_is_noted_and_leaves_nothing(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    half_a_request(own_server, wire, "key", {}, MIN_PART).close()
    deadline = time.monotonic() + 10
    while not own_server.requests("PutObject"):
        assert time.monotonic() < deadline
    record = own_server.requests("PutObject")[0]
    assert (record.status, record.code) == (0, "ClientDisconnected")
    assert list((own_server.root / "incoming").iterdir()) == []


def test_unfired_faults_are_reported(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.REPLY, "GetObject", count=2))
    wire.send("GET", "key")
    with pytest.raises(AssertionError, match=r"fired 1 times: .*GetObject"):
        server.assert_all_fired()
    wire.send("GET", "key")
    server.assert_all_fired()


def test_a_plan_from_a_file(tmp_path: Path) -> None:
    plan = tmp_path / "faults.json"
    plan.write_text(json.dumps([{"kind": "reply", "operation": "GetObject", "status": 503, "code": "X"}]))
    with DevServer(tmp_path / "oss", buckets=("examplebucket",), faults=plan) as server:
        assert Wire(server.url, "examplebucket").send("GET", "key").error == (503, "X")
        server.assert_all_fired()


def test_the_control_paths(wire: Wire) -> None:
    own = wire.with_(bucket="-")

    def ask(method: str, path: str, values: object = None) -> tuple[int, dict[str, object]]:
        body = b"" if values is None else json.dumps(values).encode()
        answer = own.raw(method, f"/-/{path}", {}, body)
        return answer.status, json.loads(answer.body or b"{}")

    rule = {"kind": "delay", "operation": "GetBucketStat"}
    assert ask("GET", "health") == (200, {"status": "ok"})
    assert ask("POST", "faults", [rule])[1]["all_fired"] is False
    assert len(list(ask("POST", "faults", {"faults": [rule]})[1]["faults"])) == 2  # type: ignore[call-overload]
    assert len(list(ask("PUT", "faults", [rule])[1]["faults"])) == 1  # type: ignore[call-overload]
    assert ask("DELETE", "faults") == (200, {"faults": [], "all_fired": True})
    for nonsense in ([{"kind": "no such"}], {"a": 1}, [{"kind": "delay", "seconds_": 1}]):
        assert ask("POST", "faults", nonsense)[0] == 400
    assert own.raw("POST", "/-/faults", {}, b"no json").status == 400
    assert ask("GET", "requests")[0] == 200


def test_a_fault_that_could_never_happen_is_refused(server: DevServer) -> None:
    with pytest.raises(ValueError, match="operation 'UploadPrat' does not exist"):
        server.plan(FaultRule(FaultKind.RESET, "UploadPrat"))
    server.plan()
    assert server.unfired() == []


def test_a_key_without_a_token_is_refused_once_and_does_not_expire(server: DevServer, wire: Wire) -> None:
    server.plan(FaultRule(FaultKind.EXPIRE_TOKEN, "GetObject"))
    assert wire.send("GET", "key").error == (403, "SecurityTokenExpired")
    assert wire.send("PUT", "key", body=b"x").status == 200


def test_a_fault_waits_for_a_request_that_it_can_happen_to(server: DevServer, wire: Wire) -> None:
    server.plan(
        FaultRule(FaultKind.THROTTLE, bytes_per_second=1e9),
        FaultRule(FaultKind.CORRUPT, offset=3),
        FaultRule(FaultKind.UPLOAD_GONE),
    )
    wire.send("GET", "key")
    wire.send("PUT", "key", body=b"")
    assert len(server.unfired()) == 3
    wire.send("PUT", "key", body=b"123")  # is throttled, and has no byte at offset 3
    assert len(server.unfired()) == 2
    wire.send("PUT", "key", body=[b"12", b"34"])  # chunked: nobody knows how much is to come
    assert wire.send("GET", "key").body == b"1235"
    upload_id = wire.initiate("key")
    assert wire.part("key", upload_id, 1, b"x").error == (404, "NoSuchUpload")
