"""The operators beside the upload in real tries: download, copy, delete."""

from __future__ import annotations

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.download.record import decode
from airflow_provider_oss_resume.oss.crc64 import crc64
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket
from tests.airflow.cases import Cases, Run
from tests.airflow.conftest import DAGS
from tests.airflow.killer import kill_when

PARTS = 16
SIZE = (PARTS - 1) * bucket.PART_SIZE + 4321


@pytest.fixture
def cases(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cases:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Cases(forked, oss, capfd, DAGS / "object_cases.py")


def put(oss: DevServer, key: str, size: int = SIZE) -> bytes:
    body = os.urandom(size)
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, key, body)
    return body


def ranges(run: Run) -> int:
    return len([one for one in run.requests if one.operation == "GetObject" and one.status == 206])


def recorded(path: Path) -> int:
    checkpoint = Path(f"{path}.part.checkpoint")
    record = decode(checkpoint.read_text()) if checkpoint.exists() else None
    return len(record.parts) if record else 0


def run_of(cases: Cases, dag: str, **conf: Any) -> Run:
    return cases.run_conf(dag, conf)


# ---------------------------------------------------------------- download


def test_a_killed_download_resumes(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    body, path = put(oss, "down/killed.bin"), tmp_path / "killed.bin"
    oss.plan(FaultRule(FaultKind.DELAY, "GetObject", key="down/killed.bin", count=None, seconds=0.4))
    with kill_when(cases.airflow, lambda: recorded(path) >= 6):
        run = run_of(cases, "download", key="down/killed.bin", path=path)
    assert (run.states, run.tries) == (["success"], 2)
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(body).digest()
    assert list(tmp_path.iterdir()) == [path]
    assert run.said("resume: oss://examplebucket/down/killed.bin") == 1
    assert ranges(run) <= PARTS + 8


def test_an_object_that_changed_between_the_tries(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    put(oss, "down/changed.bin")
    path, changed = tmp_path / "changed.bin", list[bytes]()
    oss.plan(FaultRule(FaultKind.DELAY, "GetObject", key="down/changed.bin", count=None, seconds=0.4))
    with kill_when(
        cases.airflow, lambda: recorded(path) >= 6, before=lambda: changed.append(put(oss, "down/changed.bin"))
    ):
        run = run_of(cases, "download", key="down/changed.bin", path=path)
    assert (run.states, run.tries) == (["success"], 2)
    assert path.read_bytes() == changed[0]


def test_what_a_download_returns(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    body = put(oss, "down/one.bin", 1000)
    returned = cases.execute_conf("download", {"key": "down/one.bin", "path": f"{tmp_path}/new/"})
    assert {name: returned[name] for name in ("path", "size", "crc64", "parts", "verified", "unchanged")} == {
        "path": f"{tmp_path}/new/one.bin",
        "size": 1000,
        "crc64": str(crc64(body)),
        "parts": 1,
        "verified": True,
        "unchanged": False,
    }


def test_a_prefix_keeps_its_folders(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    bodies = {name: put(oss, f"down/many/{name}", 1000) for name in ("a.csv", "b/c.csv", "b/d/e.csv")}
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, "down/many/empty/", b"")
    returned = cases.execute_conf("download_prefix", {"prefix": "down/many/", "path": tmp_path / "x"})
    assert {str(one.relative_to(tmp_path / "x")): one.read_bytes() for one in (tmp_path / "x").rglob("*.csv")} == bodies
    assert (returned["count"], returned["size"], returned["unchanged"]) == (3, 3000, 0)
    again = cases.execute_conf("download_prefix", {"prefix": "down/many/", "path": tmp_path / "x"})
    assert (again["bytes_received"], again["unchanged"]) == (0, 3)


def test_a_key_cannot_lead_out_of_the_folder(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    put(oss, "down/evil/../../x", 10)
    run = run_of(cases, "download_prefix", prefix="down/evil/", path=tmp_path / "x")
    assert (run.states, run.tries) == (["failed"], 1)
    assert run.said("cannot be a path below a folder")
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_keys(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    for name in ("p", "q"):
        put(oss, f"down/list/{name}", 10)
    run = run_of(cases, "download_list", keys=["down/list/p", "down/list/q"], path=tmp_path)
    assert run.states == ["success"]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["p", "q"]


def test_another_file_system(cases: Cases, oss: DevServer) -> None:
    import_module("airflow.sdk.io" if AIRFLOW_3 else "airflow.io.store").attach("memory", fs=MemoryFileSystem())
    body, path = put(oss, "down/remote.bin", 100_000), "memory://down/remote.copy"
    returned = cases.execute_conf("download", {"key": "down/remote.bin", "path": path})
    assert (returned["size"], returned["crc64"]) == (100_000, str(crc64(body)))
    assert ObjectStoragePath(path).read_bytes() == body


def test_no_such_object_fails_for_good(cases: Cases, tmp_path: Path) -> None:
    run = run_of(cases, "download", key="down/missing", path=tmp_path / "x")
    assert (run.states, run.tries) == (["failed"], 1)
    assert run.said("NoSuchKey")


# ---------------------------------------------------------------- copy and delete


def test_a_copy(cases: Cases, oss: DevServer) -> None:
    body = put(oss, "copy/from.bin", 1000)
    run = run_of(cases, "copy", key="copy/from.bin", dest_key="copy/to.bin")
    assert run.states == ["success"]
    with bucket.client(oss) as client:
        found = client.head_object(bucket.NAME, "copy/to.bin")
    assert (found.crc64, found.storage_class) == (crc64(body), "IA")
    again = run_of(cases, "copy", key="copy/from.bin", dest_key="copy/to.bin", replace="False")
    assert (again.states, again.tries) == (["failed"], 1)
    assert again.said("FileAlreadyExists")


def test_a_copy_to_a_prefix_keeps_its_name(cases: Cases, oss: DevServer) -> None:
    put(oss, "copy/named.bin", 10)
    run = run_of(cases, "copy", key="copy/named.bin", dest_key="copied/by-name/")
    assert run.states == ["success"]
    with bucket.client(oss) as client:
        assert [one.key for one in client.list_objects(bucket.NAME, "copied/by-name/")] == ["copied/by-name/named.bin"]


def test_a_download_to_a_scheme_without_a_filesystem_fails_for_good(cases: Cases, oss: DevServer) -> None:
    put(oss, "down/scheme", 10)
    run = run_of(cases, "download", key="down/scheme", path="nosuch://host/file")
    assert (run.states, run.tries) == (["failed"], 1)
    assert run.said("has the scheme 'nosuch', which no installed filesystem serves")


def test_deleting(cases: Cases, oss: DevServer) -> None:
    for name in ("delete/me/1", "delete/me/2", "delete/one", "delete/left"):
        put(oss, name, 10)
    assert run_of(cases, "delete_prefix", prefix="delete/me/").said("objects deleted: 2")
    assert run_of(cases, "delete_keys", key="delete/one").states == ["success"]
    with bucket.client(oss) as client:
        assert [one.key for one in client.list_objects(bucket.NAME, "delete/")] == ["delete/left"]


def test_an_empty_prefix_deletes_nothing(cases: Cases, oss: DevServer) -> None:
    put(oss, "delete/left", 10)
    run = run_of(cases, "delete_prefix", prefix="")
    assert (run.states, run.tries) == (["failed"], 1)
    assert run.said("would delete the whole bucket")
    with bucket.client(oss) as client:
        assert client.head_object(bucket.NAME, "delete/left").size == 10
