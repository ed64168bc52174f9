from __future__ import annotations

from contextlib import closing
from pathlib import Path

from airflow_provider_oss_resume.devserver.http.request_log import RequestLog, RequestRecord, masked


def record(seq: int) -> RequestRecord:
    return RequestRecord(seq, 0.0, "PutObject", "bucket", "ключ\n", "", None, 200, "", 5, "")


def test_secrets_are_masked_and_the_rest_is_kept() -> None:
    headers = {
        "authorization": "OSS4-HMAC-SHA256 Credential=id/20231216/r/oss/aliyun_v4_request, Signature=abc",
        "x-oss-security-token": "token",
        "x-oss-date": "20231216T162057Z",
    }
    assert masked(headers) == {
        "authorization": "OSS4-HMAC-SHA256 Credential=id/20231216/r/oss/aliyun_v4_request, Signature=***",
        "x-oss-security-token": "***",
        "x-oss-date": "20231216T162057Z",
    }
    assert masked({"authorization": "OSS id:c2lnbmF0dXJl="}) == {"authorization": "OSS id:***"}
    assert masked({"Signature": "s", "x-oss-signature": "s", "security-token": "t", "uploads": ""}) == {
        "Signature": "***",
        "x-oss-signature": "***",
        "security-token": "***",
        "uploads": "",
    }


def test_the_log_continues_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    with closing(RequestLog(path)) as log:
        log.append(record(1))
    with path.open("a") as file:
        file.write('{"seq": 2, "ti')
    with closing(RequestLog(path)) as log:
        assert log.next_seq() == 2
        log.append(record(2))
        assert [line[:10] for line in log.lines()] == ['{"seq": 1,', '{"seq": 2,']


def test_a_cleared_log_counts_from_one(tmp_path: Path) -> None:
    with closing(RequestLog(tmp_path / "requests.jsonl")) as log:
        log.append(record(1))
        log.clear()
        assert log.lines() == []
        assert log.next_seq() == 1
