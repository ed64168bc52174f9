"""``ali-oss``, the official JavaScript client, with V4 and V1 signatures, with and without a token."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule, RequestRecord

HERE = Path(__file__).parent
NOT_FOUND = {"status": 404, "requestId": True}


@dataclass(frozen=True)
class Run:
    """Hold what one run of the script saw, and what the server saw of it."""

    prefix: str
    results: dict[str, Any]
    requests: list[RequestRecord]


@pytest.fixture(scope="module", params=["v4", "v1", "v4-sts", "v1-sts"])
def run(sdk_server: DevServer, request: pytest.FixtureRequest, tmp_path_factory: Any) -> Run:
    version, _, sts = request.param.partition("-")
    source = tmp_path_factory.mktemp("source") / "source.bin"
    source.write_bytes(bytes(range(256)) * 1000)
    prefix = f"{request.param}/a b+c%ü&//"
    arguments = {"endpoint": sdk_server.url, "authorizationV4": version == "v4", "prefix": prefix}
    arguments |= {"source": str(source), **({"stsToken": "token"} if sts else {})}
    sdk_server.clear_requests()
    sdk_server.plan(FaultRule(FaultKind.REPLY, "UploadPart", key=f"{request.param}/*big", part_number=2))
    command = ["node", "ali_oss.mjs", json.dumps(arguments)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    sdk_server.assert_all_fired()
    sdk_server.clear_faults()
    return Run(prefix, json.loads(done.stdout), sdk_server.requests())


def test_put_head_get(run: Run) -> None:
    assert run.results["putHeadGet"] == {
        "etag": '"5D41402ABC4B2A76B9719D911017C592"',
        "crc": "11177612005948864433",
        "meta": {"name": "value"},
        "type": "text/csv",
        "content": "hello",
        "range": "ell",
    }


def test_not_there(run: Run) -> None:
    missing = {"code": "NoSuchKey", **NOT_FOUND}
    assert run.results["notThere"] == {"get": missing, "head": missing}


def test_list(run: Run) -> None:
    names = [f"{run.prefix}list/{name}" for name in ("1", "2", "sub/3")]
    assert run.results["list"] == {"names": names, "prefixes": [f"{run.prefix}list/sub/"], "v2": names[:2]}


def test_multipart(run: Run) -> None:
    result = run.results["multipart"]
    assert result["listed"] == result["sent"]
    assert (result["found"], result["equal"]) == (True, True)
    assert result["etag"].endswith('-3"')


def test_abort(run: Run) -> None:
    assert run.results["abort"] == {"code": "NoSuchUpload", **NOT_FOUND}


def test_resumable_upload(run: Run) -> None:
    assert run.results["resumable"] == {"failed": True, "equal": True}
    parts = [one for one in run.requests if one.operation == "UploadPart" and one.key.endswith("big")]
    assert sorted((one.part_number, one.status) for one in parts) == [(1, 200), (2, 200), (2, 500), (3, 200)]


def test_the_rest(run: Run) -> None:
    assert run.results["theRest"] == {
        "copied": 200,
        "acl": "public-read",
        "tag": {"a": "b"},
        "next": "3",
        "deleted": [f"{run.prefix}copy", f"{run.prefix}log"],
        "bucket": "examplebucket",
    }


def test_signed_url(run: Run) -> None:
    assert run.results["signedURL"] == {"status": 200, "text": "hello"}


def test_a_wrong_secret(run: Run) -> None:
    assert run.results["wrongSecret"] == {"code": "SignatureDoesNotMatch", "status": 403, "requestId": True}


def test_refusals_and_endpoints(run: Run, sdk_server: DevServer) -> None:
    assert run.results["refusals"] == {
        "missing": {"code": "NoSuchBucket", **NOT_FOUND},
        "lifecycle": "NotImplemented",
        "still": "examplebucket",
        "endpoint": sdk_server.url.removeprefix("http://"),
    }


def test_copied_parts_have_etag_and_checksum(run: Run) -> None:
    assert run.results["copiedParts"] == {"etag": True, "crc": True}


def test_symlinks(run: Run) -> None:
    assert run.results["symlinks"] == {"target": True, "content": "data"}


def test_clean_up(run: Run) -> None:
    assert run.results["cleanUp"] == {"found": ["null", "null"], "left": 0, "versioning": None}


def test_encryption(run: Run) -> None:
    assert run.results["encryption"] == {"keyId": True, "uploads": 0}
