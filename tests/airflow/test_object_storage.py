"""Sources that Airflow's object storage opens, against a real S3 server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceChangedError
from airflow_provider_oss_resume.remote_sources.choose_source import is_many, selection_of, source_of
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from airflow_provider_oss_resume.remote_sources.selection import ObjectStorageSelection
from airflow_provider_oss_resume.sources.selection import NamePatterns, SelectedFile
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.s3 import CONN_ID, SECRET, S3Server
from tests.conformance.sources.source_cases import SourceCases, content, peak_of_reading, read


@pytest.fixture(autouse=True)
def connection(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", s3.connection)


class TestS3(SourceCases):
    @pytest.fixture
    def place(self, s3: S3Server) -> S3Server:
        return s3


def test_the_tag_of_an_object_is_strong(s3: S3Server) -> None:
    s3.write("strong.bin", content())
    with closing(s3.source("strong.bin").open()) as opened:
        assert opened.fingerprint.strong


def test_one_request_reads_a_part_and_memory_is_bounded(s3: S3Server) -> None:
    size = 24 * 1024 * 1024
    s3.write("part.bin", content(size))
    with closing(s3.source("part.bin").open()) as opened:
        before = s3.gets("part.bin")
        assert read(opened, 0, 1000) == content(size)[:1000]  # the client and its libraries are loaded
        peak = peak_of_reading(opened, size)
    assert s3.gets("part.bin") - before == 2
    assert peak < 4 * 1024 * 1024


def test_an_object_that_is_replaced_while_it_is_read(s3: S3Server) -> None:
    s3.write("replaced.bin", content())
    with closing(s3.source("replaced.bin").open()) as opened:
        s3.write("replaced.bin", content(seed=1))
        with pytest.raises(SourceChangedError):
            read(opened, 0, 1000)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ConfigurationError, match="install apache-airflow-providers-google"):
        ObjectStorageSource("gs://bucket/key").open()


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="scheme 'nonsense'"):
        ObjectStorageSource("nonsense://bucket/key").open()


def test_a_directory_and_a_glob_select_objects(s3: S3Server) -> None:
    for name in ("tree/a.csv", "tree/deep/b.csv", "tree/deep/c.tmp"):
        s3.write(name, name.encode())

    def found(name: str, names: NamePatterns | None = None) -> dict[str, int]:
        files = list(ObjectStorageSelection([s3.address(name)], names).files())
        assert all(isinstance(one, SelectedFile) for one in files)
        return {one.relative: one.size for one in files if isinstance(one, SelectedFile)}

    assert found("tree/") == {"a.csv": 10, "deep/b.csv": 15, "deep/c.tmp": 15}
    assert found("tree/*/*.csv") == {"deep/b.csv": 15}
    assert found("tree/**/*.csv") == {"a.csv": 10, "deep/b.csv": 15}
    assert found("tree/", NamePatterns(exclude=["*.tmp"])) == {"a.csv": 10, "deep/b.csv": 15}
    assert found("nothing/") == {}


@pytest.mark.parametrize(
    ("source", "many"),
    [
        ("s3://bucket/key", False),
        ("s3://bucket/prefix/", True),
        ("s3://bucket/*.csv", True),
        ("https://host/a.csv?x=*", False),
        (["s3://bucket/key"], True),
    ],
)
def test_what_names_many_files(source: object, many: bool) -> None:
    assert is_many(source) is many


@pytest.mark.parametrize("source", ["oss://", "s3://", "oss:///"])
def test_a_scheme_alone_is_refused(source: str) -> None:
    """In OSS it would be all objects of all buckets."""
    with pytest.raises(ConfigurationError, match=f"source '{source}' names nothing: write bucket and key"):
        selection_of([source], NamePatterns())


def test_a_web_server_takes_the_login_of_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WEB", f"http://user:{SECRET}@host")
    source = source_of("https://host/a.csv", "web")
    assert not isinstance(source, str)
    assert source.uri == "https://host/a.csv"


def test_a_kill_in_an_upload_from_s3_costs_what_was_in_flight(
    cases: Cases, oss: DevServer, s3: S3Server, tmp_path: Path
) -> None:
    data = content(12 * bucket.PART_SIZE)
    s3.write("large.bin", data)
    key = f"from-s3/{tmp_path.name}.bin"
    rule = FaultRule(FaultKind.REPLY, "UploadPart", key=key, status=409, code="PartNotSequential", skip=6)
    oss.plan(rule)
    run = cases.run("from_conf", bucket.SourceFile(tmp_path, key), source=s3.address("large.bin"), **PARTS)
    assert (run.states, run.tries) == (["success"], 2)
    assert max(run.parts_accepted().values()) == 1, "a part that the bucket held was sent again"
    assert stored(oss, key) == data
    assert SECRET not in run.output


def test_a_prefix_of_s3_becomes_objects(cases: Cases, oss: DevServer, s3: S3Server, tmp_path: Path) -> None:
    for name in ("sync/a.csv", "sync/deep/b.csv"):
        s3.write(name, name.encode())
    prefix = f"synced/{tmp_path.name}/"
    run = cases.run("many", bucket.SourceFile(tmp_path, prefix), source=s3.address("sync/"))
    assert run.states == ["success"]
    assert {name: stored(oss, prefix + name) for name in ("a.csv", "deep/b.csv")} == {
        "a.csv": b"sync/a.csv",
        "deep/b.csv": b"sync/deep/b.csv",
    }
    again = cases.run("many", bucket.SourceFile(tmp_path, prefix), source=s3.address("sync/"))
    assert again.operations == ["ListObjectsV2"]


PARTS = {"part_size": bucket.PART_SIZE, "max_concurrency": 2, "multipart_threshold": 1}


def stored(oss: DevServer, key: str) -> bytes:
    with bucket.client(oss) as client, client.get_object(bucket.NAME, key) as (_, blocks):
        return b"".join(blocks)
