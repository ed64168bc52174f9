"""Names and kinds of files that nobody expects in a directory."""

from __future__ import annotations

import os
import socket
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError, FilesFailedError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import NamePatterns, SelectedFile
from tests.server.batches import Batch
from tests.server.uploads import PART


@pytest.fixture
def batch(server: DevServer, client: OSSClient, tmp_path: Path) -> Batch:
    (tmp_path / "exports").mkdir()
    return Batch(server, client, tmp_path / "exports")


NAMES = [
    *(
        "a b",
        "%20",
        "100%",
        "a+b",
        "a&b=c",
        "#1",
        "what?",
        "a;b",
        "'\"",
        "{name}",
        "[1]",
        "*",
        "**",
        "~",
        "😀",
        "-",
        "...",
    ),
    *(
        "é",
        unicodedata.normalize("NFD", "é"),
        "A",
        "a",
        " space ",
        "%2e%2e",
        "a\tb",
        "a\nb",
        "a\\b",
        "deep/%2F/x",
        "\u202e",
    ),
]
TWINS = ["é", unicodedata.normalize("NFD", "é")]


def found_by(paths: list[str], names: NamePatterns | None = None) -> list[str]:
    files = LocalSelection(paths, names).files()
    return sorted(one.relative if isinstance(one, SelectedFile) else one.reason for one in files)


def test_each_name_becomes_the_key_and_a_second_run_skips_it(batch: Batch) -> None:
    batch.write(dict.fromkeys(NAMES, 10))
    batch.upload()
    assert batch.objects() == batch.files()
    again = batch.upload()
    assert (again.counts.skipped, again.counts.sent) == (len(NAMES), 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_named_itself_is_that_file(batch: Batch, name: str) -> None:
    batch.write({name: 10})
    path = str(batch.folder / name)
    assert found_by([path]) == [name.rpartition("/")[2]]


def test_sockets_pipes_and_devices_fail_alone(batch: Batch) -> None:
    batch.write({"a.csv": 10, "large.bin": 8 * PART})
    os.mkfifo(batch.folder / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(batch.folder / "socket"))
        with pytest.raises(FilesFailedError, match="2 of 4 files failed") as raised:
            batch.upload()
    assert {Path(one.location).name for one in raised.value.failed} == {"pipe", "socket"}
    assert all("not a regular file" in one.reason for one in raised.value.failed), raised.value
    assert set(batch.objects()) == {"a.csv", "large.bin"}
    batch.upload(selection=LocalSelection([batch.folder], NamePatterns(exclude=["pipe", "socket"])))


@pytest.mark.parametrize("size", [10, 8 * PART])
def test_a_file_that_is_a_directory_in_the_next_try(batch: Batch, size: int) -> None:
    batch.write({"a.csv": 10, "b.csv": size})
    batch.upload()
    (batch.folder / "b.csv").unlink()
    batch.write({"b.csv/c.csv": size})
    batch.upload()
    assert set(batch.objects()) == {"a.csv", "b.csv", "b.csv/c.csv"}


def test_hard_links_are_files(batch: Batch) -> None:
    batch.write({"a.csv": 10})
    os.link(batch.folder / "a.csv", batch.folder / "b.csv")
    batch.upload()
    assert batch.objects() == batch.files()
    assert len(batch.objects()) == 2


def test_a_file_that_may_not_be_read_any_more_fails_alone(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    batch.write({"a.csv": 10, "b.csv": 8 * PART})
    real = os.open

    def refused(path: object, *arguments: object, **options: object) -> int:
        if str(path).endswith("b.csv"):  # root may read everything
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(FilesFailedError, match="may not be read by user id") as raised:
        batch.upload()
    assert raised.value.permanent
    assert set(batch.objects()) == {"a.csv"}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**", ["a.csv", "b.csv", "deep/c.csv", "deep/deeper/d.csv"]),
        ("**/*", ["a.csv", "b.csv", "deep/c.csv", "deep/deeper/d.csv"]),
        ("**/**", ["a.csv", "b.csv", "deep/c.csv", "deep/deeper/d.csv"]),
        ("*", ["a.csv", "b.csv"]),
        ("*/*", ["deep/c.csv"]),
        ("[ab].csv", []),  # no range: the name of a file, which is missing
        ("[a-b].csv", ["a.csv", "b.csv"]),
        ("[!a]*", ["b.csv"]),
        ("**/[c-d].csv", ["deep/c.csv", "deep/deeper/d.csv"]),
        ("d*/**/?.csv", ["deep/c.csv", "deep/deeper/d.csv"]),
        ("*.parquet", []),
    ],
)
def test_globs(batch: Batch, pattern: str, names: list[str]) -> None:
    batch.write(dict.fromkeys(("a.csv", "b.csv", "deep/c.csv", "deep/deeper/d.csv"), 1))
    found = found_by([f"{batch.folder}/{pattern}"])
    assert [one for one in found if "no such file" not in str(one)] == names


@pytest.mark.parametrize("pattern", ["{a,b}.csv", "*.{csv,json}"])
def test_braces_of_a_shell_are_refused_or_told(batch: Batch, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    batch.write({"a.csv": 1, "b.csv": 1})
    found = found_by([f"{batch.folder}/{pattern}"])
    assert "are not expanded: write a list" in str(found) + caplog.text


@pytest.mark.parametrize("name", ["include", "exclude"])
def test_braces_that_would_choose_nothing_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '\\*.{{csv,json}}': braces .* are not expanded"):
        NamePatterns(**{name: ["*.{csv,json}"]})


def test_include_and_exclude_of_the_same_files_select_nothing(batch: Batch) -> None:
    batch.write({"a.csv": 1})
    assert found_by([str(batch.folder)], NamePatterns(["*.csv"], ["*.csv"])) == []


def test_keys_that_collide_after_the_template(batch: Batch) -> None:
    batch.write({"a/x.csv": 1, "b/x.csv": 1})
    with pytest.raises(ConfigurationError, match="have the same key"):
        batch.upload(key=f"{batch.prefix}{{name}}")
    assert batch.objects() == {}


def test_sparse_files_of_4_gib_are_counted_without_being_read(batch: Batch) -> None:
    with (batch.folder / "sparse.bin").open("wb") as file:
        file.truncate(4 * 1024**3)
    assert [one.size for one in LocalSelection([batch.folder]).files() if isinstance(one, SelectedFile)] == [
        4 * 1024**3
    ]
