"""Secrets of a source's URL and connection: they are in no log, error, XCom, checkpoint, manifest or lineage event."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.lineage.openlineage import operator_lineage
from airflow_provider_oss_resume.operators.tries.lineage import batch_flow, upload_flow
from demo.versions import AIRFLOW_3
from tests.airflow import azurite, bucket, s3, sftp
from tests.airflow.cases import Cases, Run
from tests.conformance.sources.http_files import HTTPFiles

SIZE = 6 * bucket.PART_SIZE
KINDS = ["s3", *(["sftp", "azure_key", "azure_sas"] if AIRFLOW_3 else [])]


@dataclass(frozen=True)
class Secretive:
    """A place of files, reached with secrets.

    :ivar url: of the folder, with a slash at its end.
    """

    url: str
    write: Callable[[str, bytes], None]
    secrets: tuple[str, ...]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Secretive:
    name = f"secrets-{tmp_path.name}"
    if request.param == "s3":
        server = request.getfixturevalue("s3")
        connection = json.loads(server.connection)
        connection["extra"]["aws_session_token"] = "hush-hush-token"
        monkeypatch.setenv("AIRFLOW_CONN_S3_SECRETS", json.dumps(connection))
        url = f"s3://s3_secrets@{s3.BUCKET}/{name}/"
        return Secretive(url, lambda file, data: server.write(f"{name}/{file}", data), (s3.SECRET, "hush-hush-token"))
    if request.param == "sftp":
        server = request.getfixturevalue("sftp_server")
        monkeypatch.setenv("AIRFLOW_CONN_SFTP_SECRETS", server.connection)
        url = f"sftp://sftp_secrets@/{name}/"
        return Secretive(url, lambda file, data: server.write(f"{name}/{file}", data), (sftp.SECRET,))
    server = request.getfixturevalue("azure")
    text, secrets = with_sas(server) if request.param == "azure_sas" else (server.connection, (azurite.SECRET,))
    monkeypatch.setenv(f"AIRFLOW_CONN_{request.param.upper()}", text)
    url = f"abfs://{request.param}@{azurite.CONTAINER}/{name}/"
    return Secretive(url, lambda file, data: server.write(f"{name}/{file}", data), secrets)


def with_sas(server: azurite.Azurite) -> tuple[str, tuple[str, ...]]:
    """Return a connection that signs by a shared access signature, and what of it is secret."""
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    signature = generate_account_sas(
        azurite.ACCOUNT,
        azurite.SECRET,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, list=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )
    key = signature.partition("sig=")[2].partition("&")[0]
    text = f"BlobEndpoint={server.url}/{azurite.ACCOUNT};SharedAccessSignature={signature}"
    return json.dumps({"conn_type": "wasb", "extra": {"connection_string": text}}), (key,)


def assert_hidden(cases: Cases, run: Run, secrets: tuple[str, ...]) -> None:
    """Assert that a run has shown no secret."""
    shown = run.output
    for table in ("xcom", "variable"):
        shown += str(cases.airflow.query(f"select * from {table}"))
    for secret in secrets:
        assert secret not in shown
        assert quote(secret, safe="") not in shown


def assert_hidden_in_lineage(source: str, secrets: tuple[str, ...]) -> None:
    for flow in (upload_flow(source, "bucket", "key", 1), batch_flow([source], "bucket", "prefix/")):
        told = str(operator_lineage(flow))
        assert "bucket" in told
        assert not [secret for secret in secrets if secret in told]


def stored(oss: DevServer, key: str) -> str:
    with bucket.client(oss) as client, client.get_object(bucket.NAME, key) as (_, blocks):
        return b"".join(blocks).decode()


def test_an_upload_that_fails_and_its_retry(cases: Cases, oss: DevServer, place: Secretive, tmp_path: Path) -> None:
    place.write("a.bin", bytes(SIZE))
    key = f"secrets/{tmp_path.name}.bin"
    refusal = FaultRule(FaultKind.REPLY, "UploadPart", key=key, status=403, code="AccessDenied", skip=3, count=None)
    oss.plan(refusal)
    failed = cases.run("from_conf", bucket.SourceFile(tmp_path, key), source=place.url + "a.bin", **PARTS)
    assert failed.states == ["failed"]
    assert len(cases.airflow.variables()) == 1, "there is no checkpoint to look into"
    assert_hidden(cases, failed, place.secrets)
    assert_hidden_in_lineage(place.url + "a.bin", place.secrets)


def test_a_file_that_is_missing(cases: Cases, place: Secretive, tmp_path: Path) -> None:
    place.write("another.bin", b"x")
    key = f"secrets/{tmp_path.name}.bin"
    failed = cases.run("from_conf", bucket.SourceFile(tmp_path, key), source=place.url + "missing.bin")
    assert failed.states == ["failed"]
    assert "there is no such file now" in failed.output
    assert_hidden(cases, failed, place.secrets)


def test_many_files_and_their_manifest(cases: Cases, oss: DevServer, place: Secretive, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        place.write(name, name.encode())
    prefix, manifest = f"secrets/{tmp_path.name}/", f"manifests/{tmp_path.name}.jsonl"
    run = cases.run("many", bucket.SourceFile(tmp_path, prefix), source=place.url, manifest_key=manifest)
    assert run.states == ["success"]
    assert_hidden(cases, run, place.secrets)
    assert stored(oss, manifest).count("a.csv") >= 2  # as a source and in its key
    assert not [secret for secret in place.secrets if secret in stored(oss, manifest)]


@pytest.mark.parametrize("where", ["URL", "connection"])
@pytest.mark.parametrize("status", [0, 403, 404], ids=["read", "refused", "missing"])
def test_a_web_server(
    cases: Cases, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, status: int
) -> None:
    secrets = ("pass-of-the-web", "signature-of-the-web")
    monkeypatch.setenv("AIRFLOW_CONN_WEB_SECRETS", "http://me:pass-of-the-web@host")
    (tmp_path / "a.bin").write_bytes(bytes(SIZE))
    key = f"secrets/{tmp_path.name}.bin"
    oss.plan(FaultRule(FaultKind.REPLY, "UploadPart", key=key, status=403, code="AccessDenied", skip=3, count=None))
    with closing(HTTPFiles(tmp_path)) as files:
        files.status = status
        login = "me:pass-of-the-web@" if where == "URL" else ""
        source = f"{files.url.replace('//', '//' + login)}/a.bin?sig=signature-of-the-web"
        conf = PARTS if login else {**PARTS, "source_conn_id": "web_secrets"}
        failed = cases.run("from_conf", bucket.SourceFile(tmp_path, key), source=source, **conf)
    assert failed.states == ["failed"]
    assert (len(cases.airflow.variables()) == 1) is (status == 0)
    # What the run's configuration and the rendered fields show is Airflow's: docs/sources.md says so.
    assert_hidden(cases, failed, secrets)
    assert_hidden_in_lineage(source, secrets)


PARTS = {"part_size": bucket.PART_SIZE, "max_concurrency": 2, "multipart_threshold": 1}


@pytest.mark.skipif(not AIRFLOW_3, reason="sshfs is installed beside Airflow 3 only")
def test_a_password_where_the_connection_belongs(cases: Cases, tmp_path: Path) -> None:
    failed = cases.run("from_conf", bucket.SourceFile(tmp_path, "k"), source="sftp://me:hush-hush@host/a.bin")
    assert failed.states == ["failed"]
    assert "write sftp://conn_id@" in failed.output
    assert_hidden(cases, failed, ("hush-hush",))
