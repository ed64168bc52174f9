"""Where a download writes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_oss_resume.download import DownloadRequest
from airflow_provider_oss_resume.download.download_request import target_path
from airflow_provider_oss_resume.exceptions import ConfigurationError


def path_of(path: str | Path, key: str = "a/b.csv") -> str:
    return str(DownloadRequest("examplebucket", key, path).path)


def test_a_tilde_is_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of("~/b.csv") == f"{tmp_path}/b.csv"
    assert path_of("~") == f"{tmp_path}/b.csv"


@pytest.mark.parametrize("url", ["file:///exports/a%20b/", "FILE://localhost/exports/a%20b/"])
def test_the_path_of_a_file_url_is_taken_as_it_is(url: str) -> None:
    assert target_path(url) == "/exports/a%20b/"


@pytest.mark.parametrize("url", ["file://exports/b.csv", "file://b.csv"])
def test_a_file_url_of_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"path 'file://.*b.csv' names the host .*: write file:///path"):
        target_path(url)


def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for path in ("/dev/null", str(tmp_path / "pipe"), str(tmp_path / "link")):
        with pytest.raises(ConfigurationError, match=f"path '{path}' is no regular file: write the path of a file"):
            path_of(path)
    (tmp_path / "file").write_bytes(b"")
    assert path_of(tmp_path / "file") == f"{tmp_path}/file"


def test_a_folder_that_another_download_makes_meanwhile_is_no_device(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with appearing_and_vanishing(folder):
        found = {path_of(folder) for _ in range(20_000)}
        while len(found) < 2:  # the other thread may not have run yet
            found.add(path_of(folder))
    assert found == {str(folder), f"{folder}/b.csv"}


@contextmanager
def appearing_and_vanishing(folder: Path) -> Iterator[None]:
    is_over = threading.Event()

    def flip() -> None:
        while not is_over.is_set():
            folder.mkdir()
            folder.rmdir()

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
