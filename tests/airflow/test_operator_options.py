"""Each argument that says what the object is and how it is sent, from the task to what arrives at OSS."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import AccessDeniedError, ConfigurationError, SourceChangedError
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.oss.client_encryption.decryption import open_decrypted
from airflow_provider_oss_resume.oss.client_encryption.master_keys import RSAMasterKey
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Progress
from tests.airflow import bucket

PARTS = 4
WRITERS = ("PutObject", "InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
NOBODY = {"callbackUrl": "http://127.0.0.1:1/", "callbackBody": "a=b"}
Execute = Callable[..., Mapping[str, Any]]


def pem() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


PRIVATE = pem()


@pytest.fixture
def source(tmp_path: Path, request: pytest.FixtureRequest) -> bucket.SourceFile:
    return bucket.write_source(tmp_path, f"options/{request.node.name}.csv", PARTS)


@pytest.fixture
def execute(oss: DevServer, source: bucket.SourceFile, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Execute a task with these arguments, its connection's extra among them."""

    def run(**arguments: Any) -> Mapping[str, Any]:
        connection = json.loads(bucket.connection(oss))
        connection["extra"] |= arguments.pop("extra", {})
        monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection))
        oss.clear_requests()
        usual: dict[str, Any] = {
            "source": str(source.path),
            "key": source.key,
            "bucket_name": bucket.NAME,
            "part_size": bucket.PART_SIZE,
            "multipart_threshold": 0,
            "checkpoint_store": MemoryStore(),
        }
        ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="upload", map_index=-1, try_number=1)
        context: Any = {"ti": ti}
        return ResumableUploadOperator(task_id="upload", **{**usual, **arguments}).execute(context)

    return run


def carried(oss: DevServer, header: str) -> dict[str, set[str | None]]:
    """Return the values that each operation of an upload carried of a header."""
    found = {name: {record.headers.get(header) for record in oss.requests(name)} for name in WRITERS}
    return {name: values for name, values in found.items() if values}


OBJECT = {"InitiateMultipartUpload"}
EVERY = set(WRITERS) - {"PutObject"}
ARGUMENTS: dict[str, tuple[dict[str, Any], str, str, set[str]]] = {
    "content_type": ({"content_type": "text/x-orders"}, "content-type", "text/x-orders", OBJECT),
    "guess": ({}, "content-type", "text/csv", OBJECT),
    "metadata": ({"metadata": {"Owner": "Zoë"}}, "x-oss-meta-owner", "Zoë", OBJECT),
    "headers": ({"headers": {"Cache-Control": "no-store"}}, "cache-control", "no-store", OBJECT),
    "acl": ({"acl": "public-read"}, "x-oss-object-acl", "public-read", {"CompleteMultipartUpload"}),
    "storage_class": ({"storage_class": "IA"}, "x-oss-storage-class", "IA", OBJECT),
    "tags": ({"tags": {"a b": "c"}}, "x-oss-tagging", "a%20b=c", OBJECT),
    "encryption": ({"server_side_encryption": "SM4"}, "x-oss-server-side-encryption", "SM4", OBJECT),
    "kms_key_id": (
        {"server_side_encryption": "KMS", "kms_key_id": "9468"},
        "x-oss-server-side-encryption-key-id",
        "9468",
        OBJECT,
    ),
    "data_encryption": (
        {"server_side_encryption": "KMS", "server_side_data_encryption": "SM4"},
        "x-oss-server-side-data-encryption",
        "SM4",
        OBJECT,
    ),
    "replace": ({"replace": False}, "x-oss-forbid-overwrite", "true", OBJECT | {"CompleteMultipartUpload"}),
    "traffic_limit": ({"traffic_limit": "838860800"}, "x-oss-traffic-limit", "838860800", {"UploadPart"}),
    "request_payer": ({"request_payer": True}, "x-oss-request-payer", "requester", EVERY),
    "payer by header": (
        {"headers": {"x-oss-request-payer": "requester"}},
        "x-oss-request-payer",
        "requester",
        EVERY,
    ),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_it_is_sent_where_oss_takes_it(oss: DevServer, execute: Execute, argument: str) -> None:
    arguments, header, value, carriers = ARGUMENTS[argument]
    execute(**arguments)
    found = carried(oss, header)
    assert set(found) == EVERY
    elsewhere = {name: values - {value} for name, values in found.items() if name not in carriers}
    assert {name: values for name, values in found.items() if name in carriers} == {name: {value} for name in carriers}
    if header != "content-type":  # Complete has one of its own
        assert all(values == {None} for values in elsewhere.values())


@pytest.mark.parametrize("argument", ["request_payer", "payer by header"])
def test_who_pays_says_so_in_every_request(oss: DevServer, execute: Execute, argument: str) -> None:
    execute(**ARGUMENTS[argument][0])
    assert {"HeadObject", "ListMultipartUploads"} < {record.operation for record in oss.requests()}
    assert {record.headers.get("x-oss-request-payer") for record in oss.requests()} == {"requester"}


def test_a_callback_that_fails(oss: DevServer, execute: Execute, source: bucket.SourceFile) -> None:
    with pytest.raises(AirflowFailException, match="The object is stored: do not upload it again"):
        execute(callback=NOBODY, callback_vars={"x:run": "1"})
    [complete] = oss.requests("CompleteMultipartUpload")
    assert json.loads(base64.b64decode(complete.headers["x-oss-callback"])) == NOBODY
    assert json.loads(base64.b64decode(complete.headers["x-oss-callback-var"])) == {"x:run": "1"}
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert execute(callback=NOBODY, callback_required="False")["size"] == source.path.stat().st_size


def test_sequential(oss: DevServer, execute: Execute, source: bucket.SourceFile) -> None:
    execute(sequential=True, max_concurrency=8)
    [initiate] = oss.requests("InitiateMultipartUpload")
    assert "sequential" in initiate.query
    assert bucket.parts_held(oss, source.key) == list(range(1, PARTS + 1))
    with bucket.client(oss) as client:
        md5 = client.head_object(bucket.NAME, source.key).headers["content-md5"]
    assert base64.b64decode(md5) == hashlib.md5(source.path.read_bytes()).digest()


def test_an_upload_that_is_named_and_one_that_is_not(
    oss: DevServer, execute: Execute, source: bucket.SourceFile
) -> None:
    with bucket.client(oss) as client:
        upload_id = client.initiate_multipart_upload(bucket.NAME, source.key)
        client.upload_part(bucket.NAME, source.key, upload_id, 1, source.path.read_bytes()[: bucket.PART_SIZE])
        assert execute(adopt_uploads=False)["parts_reused"] == 0
        assert execute(upload_id=upload_id, adopt_uploads="False")["parts_reused"] == 1
        assert sorted(bucket.parts_held(oss, source.key)) == [2, 3, 4]
        another = client.initiate_multipart_upload(bucket.NAME, "options/another")
        with pytest.raises(AirflowFailException, match=rf"upload_id '{another}' of .* does not exist: leave upload_id"):
            execute(upload_id=another)
        client.abort_multipart_upload(bucket.NAME, "options/another", another)
    assert oss.requests("UploadPart") == []


def test_progress_and_bandwidth(execute: Execute) -> None:
    reports: list[Progress] = []
    result = execute(progress_callback=reports.append, bandwidth_limit="00:00,1M 12:00,1048576")
    assert result["duration_s"] > 0.4  # 772 KiB at 1 MiB a second, less what may be caught up with
    assert reports[-1].percent == 100.0


@pytest.mark.parametrize("given", [True, RSAMasterKey(private_key=PRIVATE)], ids=["connection", "argument"])
def test_client_side_encryption(oss: DevServer, execute: Execute, source: bucket.SourceFile, given: object) -> None:
    execute(client_side_encryption=given, extra={"cse_private_key": PRIVATE} if given is True else {})
    assert bucket.stored_sha256(oss, source.key) != source.sha256
    key = RSAMasterKey(private_key=PRIVATE)
    with bucket.client(oss) as client, open_decrypted(client, bucket.NAME, source.key, [key]) as (_, blocks):
        assert b"".join(blocks) == source.path.read_bytes()


def test_checkpoint_keys_of_the_connection(oss: DevServer, execute: Execute, source: bucket.SourceFile) -> None:
    old, new, store = Fernet.generate_key().decode(), Fernet.generate_key().decode(), MemoryStore()
    oss.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=2))
    with pytest.raises(AirflowFailException) as caught:
        execute(checkpoint_store=store, max_concurrency=1, extra={"checkpoint_secret_keys": old})
    assert isinstance(caught.value.__cause__, AccessDeniedError)
    assert store.text is not None
    assert source.key in Fernet(old).decrypt(store.text).decode()
    result = execute(checkpoint_store=store, extra={"checkpoint_secret_keys": f"{new}, {old}"})
    assert (result["resumed"], result["parts_reused"]) == (True, 2)
    assert oss.requests("ListMultipartUploads") == []  # it went by the checkpoint, not by what the bucket has


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "data encryption alone": ({"server_side_data_encryption": "SM4"}, "server_side_data_encryption needs"),
    "two ACLs": ({"acl": "private", "headers": {"x-oss-object-acl": "public-read"}}, "x-oss-object-acl is given as"),
    "callback": ({"callback": {"callbackUrl": "http://h/"}}, "callback needs callbackUrl and callbackBody"),
    "timetable": ({"bandwidth_limit": "08:00,fast"}, "bandwidth_limit '08:00,fast' is not a limit of at least 1024"),
    "no RSA key": ({"client_side_encryption": True}, "connection 'oss_default' has no key for client-side encryption"),
    "RSA key": (
        {"client_side_encryption": True, "extra": {"cse_public_key": "hidden"}},
        "connection 'oss_default', cse_ settings in its extra: the RSA public key cannot be read",
    ),
    "RSA key as text": (
        {"client_side_encryption": "hidden"},
        "client_side_encryption has the type str: it must be True, False or a MasterKey",
    ),
    "no choice": (
        {"client_side_encryption": 1},
        "client_side_encryption has the type int: it must be",
    ),
    "encrypted and named": (
        {"client_side_encryption": RSAMasterKey(private_key=PRIVATE), "upload_id": "U1"},
        "upload_id 'U1' with client-side encryption",
    ),
    "Fernet key": ({"extra": {"checkpoint_secret_keys": "hidden"}}, "checkpoint key number 1, of checkpoint_secret_k"),
    "two secrets": ({"extra": {"auth_type": "env"}}, "an access key is not used with auth_type 'env'"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_work_sends_nothing_and_shows_no_secret(
    oss: DevServer, execute: Execute, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    arguments, said = BAD[what]
    with pytest.raises(AirflowFailException) as caught:
        execute(**arguments)
    assert said in str(caught.value)
    assert isinstance(caught.value.__context__, ConfigurationError)
    assert "hidden" not in str(caught.value) + caplog.text
    assert oss.requests() == []


def test_times_of_the_source_that_flap(execute: Execute, source: bucket.SourceFile) -> None:
    """Each progress report finds the file with another time."""
    seconds = iter(range(1, 1_000))

    def flap(_progress: Progress) -> None:
        os.utime(source.path, (next(seconds), next(seconds)))

    with pytest.raises(SourceChangedError, match="only its modification time"):
        execute(progress_callback=flap)
    assert execute(progress_callback=flap, check_source_times="False")["size"] == source.path.stat().st_size


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"verify_resume": False}, "verify_resume=False"),
        ({"client_side_encryption": RSAMasterKey(private_key=PRIVATE)}, "client-side encryption"),
    ],
    ids=["verify_resume", "client_side_encryption"],
)
def test_times_cannot_be_ignored_where_they_are_needed(execute: Execute, other: dict[str, Any], named: str) -> None:
    with pytest.raises(AirflowFailException, match=f"check_source_times.*{named}"):
        execute(check_source_times=False, **other)
