"""Many files in one task, in real tries."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from tests.airflow import bucket
from tests.airflow.cases import Cases


@pytest.fixture
def directory(tmp_path: Path) -> bucket.SourceFile:
    """Files in a directory, and the prefix that they go to."""
    files = {"a.csv": b"a" * 100, "deep/b.csv": b"b" * 200, "deep/c.csv": b"", "deep/er/d.bin": b"d" * 300}
    for name, content in files.items():
        path = tmp_path / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return bucket.SourceFile(tmp_path / "exports", f"many/{tmp_path.name}/")


def stored(oss: DevServer, prefix: str) -> dict[str, bytes]:
    with bucket.client(oss) as client:
        found = {}
        for one in client.list_objects(bucket.NAME, prefix):
            with client.get_object(bucket.NAME, one.key) as (_, blocks):
                found[one.key.removeprefix(prefix)] = b"".join(blocks)
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_directory_is_uploaded_and_a_second_run_skips_it(
    cases: Cases, oss: DevServer, directory: bucket.SourceFile
) -> None:
    run = cases.run("many", directory)
    assert run.states == ["success"]
    assert stored(oss, directory.key) == files_of(directory.path)
    result = cases.airflow.xcom(run.run_id, "upload")
    counts = {name: result[name] for name in ("files", "sent", "skipped", "failed", "bytes", "bytes_sent")}
    assert counts == {"files": 4, "sent": 4, "skipped": 0, "failed": 0, "bytes": 600, "bytes_sent": 600}
    assert sorted(one["key"] for one in result["results"]) == sorted(
        directory.key + n for n in files_of(directory.path)
    )

    again = cases.run("many", directory)
    assert again.states == ["success"]
    assert again.operations == ["ListObjectsV2"]
    assert cases.airflow.xcom(again.run_id, "upload")["skipped"] == 4


def test_one_file_has_no_manifest_and_the_log_says_so(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    """The argument was ignored without a word, and whoever waits for the manifest waits for ever."""
    source = bucket.write_source(tmp_path, f"one/{tmp_path.name}.bin", 1)
    run = cases.run("many", source, manifest_key="one/manifest")
    assert run.states == ["success"]
    assert run.said("source is one file, and these are for many files: manifest_key; they are not used") == 1
    assert stored(oss, "one/manifest") == {}


def test_a_list_of_paths_and_globs(cases: Cases, oss: DevServer, directory: bucket.SourceFile) -> None:
    assert cases.run("listed", directory).states == ["success"]
    assert set(stored(oss, directory.key)) == {"a.csv", "b.csv", "c.csv", "_SUCCESS"}


def test_a_template_in_the_key_and_a_manifest(cases: Cases, oss: DevServer, directory: bucket.SourceFile) -> None:
    manifest = directory.key + "list.jsonl"
    url = f"oss://{bucket.NAME}/{manifest}"
    run = cases.run("many", directory, key=directory.key + "{stem}-x{suffix}", manifest_key=url)
    assert run.states == ["success"]
    found = stored(oss, directory.key)
    assert set(found) == {"a-x.csv", "b-x.csv", "c-x.csv", "d-x.bin", "list.jsonl"}
    assert found["list.jsonl"].count(b"\n") == 4


def test_an_empty_selection_skips_the_task(cases: Cases, directory: bucket.SourceFile) -> None:
    run = cases.run("many", bucket.SourceFile(directory.path / "*.parquet", directory.key))
    assert (run.states, run.requests) == (["skipped"], [])


def test_a_failure_is_a_line_of_a_table_and_the_retry_sends_that_file(
    cases: Cases, oss: DevServer, directory: bucket.SourceFile
) -> None:
    key = directory.key + "deep/b.csv"
    oss.plan(FaultRule(FaultKind.REPLY, "PutObject", key=key, status=409, code="PartNotSequential", message="Planned."))
    run = cases.run("many", directory)
    assert (run.states, run.tries) == (["success"], 2)
    assert run.said("1 of 4 files failed; 3 are in the bucket")
    writes = Counter(one.key for one in run.requests if one.operation == "PutObject" and one.status == 200)
    assert writes == Counter(directory.key + name for name in files_of(directory.path))


def test_two_files_with_one_key_send_nothing(cases: Cases, directory: bucket.SourceFile) -> None:
    run = cases.run("many", directory, key=directory.key + "same{suffix}")
    assert (run.states, run.tries, run.requests) == (["failed"], 1, [])
    assert run.said("have the same key")


@pytest.mark.parametrize("key", ["", " ", "None"])
def test_a_prefix_that_is_empty_is_not_the_root_of_the_bucket(
    cases: Cases, oss: DevServer, directory: bucket.SourceFile, key: str
) -> None:
    """The files were spread over the root of the bucket, and the task was green."""
    run = cases.run("many", bucket.SourceFile(directory.path, key))
    assert run.states == ["failed"]
    assert run.said("no key: write the prefix of the objects, such as 'exports/', or 'oss://bucket/' for the root")
    assert run.operations == []


def test_an_unknown_choice_is_refused(cases: Cases, directory: bucket.SourceFile) -> None:
    run = cases.run("many", directory, if_exists="replace")
    assert (run.states, run.tries, run.requests) == (["failed"], 1, [])
    assert run.said("if_exists is 'replace': write one of 'overwrite', 'skip_same', 'fail', 'skip'")


def test_replace_false_accepts_its_own_object_and_no_other(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, f"own/{tmp_path.name}.bin", 8)
    for _ in range(2):  # the second run is a cleared task
        assert cases.run("from_conf", source, replace=False).states == ["success"]
    assert cases.airflow.xcom(cases.airflow.newest_run(), "upload")["skipped"] is True
    source.path.write_bytes(os.urandom(source.path.stat().st_size))
    run = cases.run("from_conf", source, replace=False)
    assert (run.states, run.tries) == (["failed"], 1)
    assert run.said("the object exists and differs from the source")


def test_sources_that_an_upstream_task_found_are_mapped(
    cases: Cases, oss: DevServer, directory: bucket.SourceFile
) -> None:
    flat = bucket.SourceFile(directory.path / "deep" / "er", directory.key)
    large = bucket.write_source(flat.path, f"{flat.key}source.bin", 6)
    oss.plan(FaultRule(FaultKind.REPLY, "UploadPart", part_number=5, status=409, code="PartNotSequential"))
    run = cases.run("found", flat)
    assert (run.states, run.tries) == (["success"] * 3, 2)
    assert stored(oss, flat.key) == files_of(flat.path)
    parts = run.parts_accepted()
    assert sorted(parts) == list(range(1, large.parts + 1))
    assert cases.airflow.variables() == []


def test_an_object_is_copied_inside_oss(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    prefix = f"copied/{tmp_path.name}/"
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, prefix + "from.bin", b"x" * 1000)
    source = f"oss://{bucket.NAME}/{prefix}from.bin"
    run = cases.run("from_conf", bucket.SourceFile(tmp_path, prefix + "to.bin"), source=source)
    assert run.states == ["success"]
    assert stored(oss, prefix) == {"from.bin": b"x" * 1000, "to.bin": b"x" * 1000}
    assert sum(one.body_bytes for one in run.requests) == 0

    again = cases.run("from_conf", bucket.SourceFile(tmp_path, prefix + "to.bin"), source=source, if_exists="skip_same")
    assert (again.states, again.operations) == (["success"], ["HeadObject"])
    assert cases.airflow.xcom(again.run_id, "upload")["skipped"] is True


@pytest.mark.parametrize("what", ["", "*.csv"])
def test_a_directory_of_a_bucket_passes_the_worker(cases: Cases, oss: DevServer, tmp_path: Path, what: str) -> None:
    prefix, files = f"bucket/{tmp_path.name}/", {"a.csv": b"a" * 10, "deep/b.csv": b"b" * 20}
    with bucket.client(oss) as client:
        for name, data in files.items():
            client.put_object(bucket.NAME, f"{prefix}from/{name}", data)
    told = {"source": f"oss://{bucket.NAME}/{prefix}from/{what}"}
    run = cases.run("many", bucket.SourceFile(tmp_path, prefix + "to/"), **told)
    assert run.states == ["success"]
    assert stored(oss, prefix + "to/") == {name: data for name, data in files.items() if not what or "/" not in name}


@pytest.mark.parametrize("named", ["source_conn_id", "URL"])
def test_an_object_of_another_account_passes_the_worker(
    cases: Cases, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    data, key = os.urandom(5 * bucket.PART_SIZE), f"elsewhere/{tmp_path.name}.bin"
    with DevServer(tmp_path / "other", access_key_id="other-id", buckets=("otherbucket",)) as other:
        with bucket.client(other) as client:
            client.put_object("otherbucket", "from.bin", data)
        monkeypatch.setenv("AIRFLOW_CONN_OSS_OTHER", bucket.connection(other))
        told = {"source": "oss://otherbucket/from.bin", "source_conn_id": "oss_other"}
        if named == "URL":
            told = {"source": "oss://oss_other@otherbucket/from.bin"}
        run = cases.run("from_conf", bucket.SourceFile(tmp_path, key), **told)
        assert run.states == ["success"]
        assert {one.operation for one in other.requests()} == {"PutObject", "HeadObject", "GetObject"}
    assert stored(oss, "elsewhere/")[key.removeprefix("elsewhere/")] == data
