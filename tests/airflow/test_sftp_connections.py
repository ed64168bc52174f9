"""Connections of a real SFTP server: cut in the middle of a read, with keys, and without a reply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from airflow_provider_oss_resume.remote_sources.selection import ObjectStorageSelection
from demo.versions import AIRFLOW_3
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.sftp import SECRET, SFTPServer
from tests.conformance.sources.source_cases import content, read
from tests.server.relay import Relay

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="sshfs is installed beside Airflow 3 only")

SIZE = 8 * 1024 * 1024
CUT_AFTER = 3 * 1024 * 1024


@pytest.fixture
def relay(sftp_server: SFTPServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Relay]:
    """A server whose connections are cut after some bytes; each test has a connection id of its own."""
    connection = json.loads(sftp_server.connection)
    with Relay(connection["port"], cut_after=CUT_AFTER) as running:
        text = json.dumps({**connection, "port": running.port})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id(request).upper()}", text)
        yield running


def conn_id(request: pytest.FixtureRequest) -> str:
    return f"cut_{abs(hash(request.node.name))}"


def test_a_connection_that_is_cut_in_the_middle_of_a_read(
    relay: Relay, sftp_server: SFTPServer, request: pytest.FixtureRequest
) -> None:
    sftp_server.write("cut.bin", content(SIZE))
    source = ObjectStorageSource(f"sftp://{conn_id(request)}@/cut.bin")
    with closing(source.open()) as opened:
        assert read(opened, 0, SIZE) == content(SIZE)
    # A reply begins where the one before ended: read from the start again, it would never get to the end.
    assert 3 <= relay.connections <= 6
    connections = relay.connections
    with closing(source.open()) as again:
        assert read(again, 5, 1000) == content(SIZE)[5:1005]
    assert relay.connections <= connections + 1, "the connection that replaced the lost one is not used again"


def test_a_server_that_never_gets_further_fails_the_read_and_the_next_one_works(
    relay: Relay, sftp_server: SFTPServer, request: pytest.FixtureRequest
) -> None:
    sftp_server.write("stuck.bin", content(SIZE))
    source = ObjectStorageSource(f"sftp://{conn_id(request)}@/stuck.bin")
    with closing(source.open()) as opened:
        relay.cut_after = 10
        with pytest.raises(SourceError, match=r"stuck\.bin cannot be read") as raised:
            read(opened, 0, SIZE)
        assert not raised.value.permanent
    relay.cut_after = None
    with closing(source.open()) as opened:
        assert read(opened, 0, SIZE) == content(SIZE)


def test_a_listing_that_is_cut_is_one_failure(
    relay: Relay, sftp_server: SFTPServer, request: pytest.FixtureRequest
) -> None:
    sftp_server.write("listed/a.csv", b"x")
    url = f"sftp://{conn_id(request)}@/listed/"
    for _ in range(2):  # the second one finds the connection lost
        assert [getattr(one, "relative", one) for one in ObjectStorageSelection([url]).files()] == ["a.csv"]
        relay.cut()


def test_an_upload_whose_source_is_cut_again_and_again(
    cases: Cases, oss: DevServer, relay: Relay, sftp_server: SFTPServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sftp_server.write("upload.bin", content(SIZE))
    key = f"sftp/{tmp_path.name}.bin"
    source = f"sftp://{conn_id(request)}@/upload.bin"
    run = cases.run("from_conf", bucket.SourceFile(tmp_path, key), source=source, multipart_threshold=1)
    assert (run.states, run.tries) == (["success"], 1)
    assert relay.connections > 2
    with bucket.client(oss) as client, client.get_object(bucket.NAME, key) as (_, blocks):
        assert b"".join(blocks) == content(SIZE)


def test_a_url_without_a_connection() -> None:
    with pytest.raises(ConfigurationError, match=r"it names no connection: write its id and @ before the path"):
        ObjectStorageSource("sftp://host/a.bin").open()


KEYS = ["private_key", "key_file"]


def with_key(server: SFTPServer, tmp_path: Path, kind: str, key: str) -> str:
    """Return a connection that has a key in place of a password."""
    connection = json.loads(server.connection)
    del connection["password"]
    if kind == "key_file":
        (tmp_path / "key").write_text(key)
        key = str(tmp_path / "key")
    return json.dumps({**connection, "extra": {**connection["extra"], kind: key}})


@pytest.mark.parametrize("kind", KEYS)
def test_a_private_key_opens_the_source_and_is_shown_nowhere(
    cases: Cases, sftp_server: SFTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}", with_key(sftp_server, tmp_path, kind, sftp_server.private_key))
    sftp_server.write("keyed.bin", b"keyed")
    for name, state in (("keyed.bin", "success"), ("missing.bin", "failed")):
        key = f"sftp/{tmp_path.name}-{name}"
        run = cases.run("once", bucket.SourceFile(tmp_path, key), source=f"sftp://{kind}@/{name}")
        assert run.states == [state]
        shown = run.output + "".join(
            str(cases.airflow.query(f"select * from {table}"))
            for table in ("xcom", "variable", "rendered_task_instance_fields")
        )
        assert not [line for line in sftp_server.private_key.splitlines()[1:-1] if line in shown]
        assert SECRET not in shown


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("damage", ["content in key_file", "cut", "another"])
def test_a_private_key_that_does_not_open_it(
    sftp_server: SFTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, damage: str
) -> None:
    key = sftp_server.other_key if damage == "another" else sftp_server.private_key
    connection = with_key(sftp_server, tmp_path, kind, key[:200] if damage == "cut" else key)
    if damage == "content in key_file":
        connection = with_key(sftp_server, tmp_path, "private_key", key).replace("private_key", "key_file")
    name = f"damaged_{kind}_{damage.split(maxsplit=1)[0]}"
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", connection)
    with pytest.raises(ConfigurationError) as raised:
        ObjectStorageSource(f"sftp://{name}@/a.bin").open()
    said = str(raised.value)
    assert "connection" in said
    assert not [line for line in key.splitlines()[1:-1] if line in said]
    assert "there is no such file now" not in said
