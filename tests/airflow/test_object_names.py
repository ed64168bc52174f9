"""Names of objects and remote files that a URL does not hold well: each source reads that object and no other."""

from __future__ import annotations

import os
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from airflow_provider_oss_resume.remote_sources.selection import ObjectStorageSelection
from airflow_provider_oss_resume.sources.selection import SelectedFile, Unreadable
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, sftp
from tests.airflow.cases import Cases
from tests.airflow.gcs import GCSServer
from tests.airflow.s3 import CONN_ID, S3Server
from tests.airflow.sftp import SFTPServer
from tests.conformance.sources.source_cases import read

MARKS = [
    "what",
    "what?",
    "what#",
    "#1",
    "wh#at",
    "ab",
    "a\tb",
    "a b",
    "a+b",
    "100%",
    "%20",
    "a&b",
    "a@b",
    "a:b",
    "😀",
    "~",
]
TWINS = ["é", unicodedata.normalize("NFD", "é"), "A", "a", "{name}", "[1]", "*star", "a\\b", "..."]


@pytest.fixture(autouse=True)
def connection(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", s3.connection)


def bytes_of(source: ObjectStorageSource) -> bytes:
    with closing(source.open()) as opened:
        return read(opened, 0, opened.fingerprint.size)


def test_each_object_is_read_by_its_name_and_found_in_its_directory(s3: S3Server) -> None:
    names = MARKS + TWINS
    for name in names:
        s3.write(f"names/{name}", name.encode())
    for name in names:
        assert bytes_of(s3.source(f"names/{name}")) == name.encode()
    selection = ObjectStorageSelection([s3.address("names/")])
    found = {one.relative: one for one in selection.files() if isinstance(one, SelectedFile)}
    assert sorted(found) == sorted(names)
    for name, one in found.items():
        assert bytes_of(selection.source(one.location)) == name.encode()


def test_keys_with_two_slashes_end_the_listing_of_their_directory_only(s3: S3Server) -> None:
    for name in ("a", "x//y", "/lead", "deep/b", "marker/"):
        s3.write(f"slashes/{name}", name.encode())
    found = list(ObjectStorageSelection([s3.address("slashes/")]).files())
    assert sorted(one.relative for one in found if isinstance(one, SelectedFile)) == ["a", "deep/b"]
    failed = [one for one in found if isinstance(one, Unreadable)]
    assert [one.location for one in failed] == ["s3://exports/slashes/", "s3://exports/slashes/x/"]
    assert all(
        "two slashes in a row, which its filesystem cannot list: name each of them" in one.reason for one in failed
    )
    assert bytes_of(s3.source("slashes/x//y")) == b"x//y"


@pytest.mark.skipif(not AIRFLOW_3, reason="gcsfs is installed beside Airflow 3 only")
def test_the_marker_of_a_directory_of_google_is_no_key_with_two_slashes(google: GCSServer) -> None:
    for name in ("marked/", "marked/a", "marked/deep/", "marked/deep/b", "both/", "both/a", "both//c"):
        google.write(name, b"" if name.endswith("/") else b"x")
    found = list(ObjectStorageSelection([google.address("marked/")]).files())
    assert [one.relative for one in found if isinstance(one, SelectedFile)] == ["a", "deep/b"]
    assert not [one for one in found if isinstance(one, Unreadable)]
    found = list(ObjectStorageSelection([google.address("both/")]).files())
    assert [one.relative for one in found if isinstance(one, SelectedFile)] == ["a"]
    assert ["two slashes" in one.reason for one in found if isinstance(one, Unreadable)] == [True]


def test_a_version_that_s3fs_would_cut_off_is_refused(s3: S3Server) -> None:
    s3.write("versions/a", b"of today")
    with pytest.raises(ConfigurationError, match=r"which s3fs cuts off: it would read another object"):
        s3.source("versions/a?versionId=3").open()


def test_more_objects_than_a_page_of_a_listing(s3: S3Server) -> None:
    for number in range(1005):
        s3.write(f"pages/{number:04}", b"x")
    files = ObjectStorageSelection([s3.address("pages/")]).files()
    assert len({one.relative for one in files if isinstance(one, SelectedFile)}) == 1005


def test_an_empty_object_and_a_mark_become_objects_of_oss(
    cases: Cases, oss: DevServer, s3: S3Server, tmp_path: Path
) -> None:
    for name, data in (("empty", b""), ("what?", b"mark"), ("what", b"none")):
        s3.write(f"{tmp_path.name}/{name}", data)
    prefix = f"named/{tmp_path.name}/"
    run = cases.run("many", bucket.SourceFile(tmp_path, prefix), source=s3.address(f"{tmp_path.name}/"))
    assert run.states == ["success"]
    with bucket.client(oss) as client:
        for name, data in (("empty", b""), ("what?", b"mark"), ("what", b"none")):
            with client.get_object(bucket.NAME, prefix + name) as (_, blocks):
                assert b"".join(blocks) == data


@pytest.mark.skipif(not AIRFLOW_3, reason="sshfs is installed beside Airflow 3 only")
def test_a_pipe_on_an_sftp_server_is_refused_and_not_waited_for(
    sftp_server: SFTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{sftp.CONN_ID.upper()}", sftp_server.connection)
    sftp_server.write("piped/what?", b"mark")
    os.mkfifo(sftp_server.folder / "piped" / "pipe")
    with pytest.raises(ConfigurationError, match=r"piped/pipe is not a regular file"):
        sftp_server.source("piped/pipe").open()
    found = list(ObjectStorageSelection([sftp_server.address("piped/")]).files())
    assert [one.relative for one in found if isinstance(one, SelectedFile)] == ["what?"]
    assert [one.reason.split("/piped")[1] for one in found if isinstance(one, Unreadable)] == [
        "/pipe is not a regular file"
    ]
    assert bytes_of(sftp_server.source("piped/what?")) == b"mark"
