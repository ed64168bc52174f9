"""Which files paths, globs and directories name."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import NamePatterns, SelectedFile, Unreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("top/a.csv", "top/b.txt", "top/deep/c.csv", "top/deep/er/d.csv", "top/.hidden/e.csv", "other/f.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def names(selection: LocalSelection) -> set[str]:
    return {found.relative for found in selection.files() if isinstance(found, SelectedFile)}


def problems(selection: LocalSelection) -> list[str]:
    return [found.reason for found in selection.files() if isinstance(found, Unreadable)]


ALL = {"a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv", ".hidden/e.csv"}


def test_an_empty_path_in_a_list_does_not_upload_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template that found nothing uploaded all files of the worker's directory, and the task was green."""
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigurationError, match="empty path"):
        LocalSelection([folder / "top", ""])


def stale() -> OSError:
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE))


def test_a_root_that_cannot_be_seen_at_present_is_no_empty_selection(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With if_empty="skip" the task was skipped, and no file uploaded."""
    root, look = str(folder / "top"), os.stat

    def one_is_stale(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if path == root:
            raise stale()
        return look(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", one_is_stale)
    assert problems(LocalSelection([f"{root}/*.csv"])) == [
        f"file {root!r} cannot be opened at present: Stale file handle"
    ]


@dataclass
class UnknownEntry:
    """An entry of a file system whose listings do not tell directories from files: a look at it fails."""

    path: str
    name: str = "deep"

    def is_symlink(self) -> bool:
        return False

    def is_dir(self) -> bool:
        raise stale()


def test_a_directory_of_a_glob_that_cannot_be_seen_at_present_is_not_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a file that does not match, so its files were missing without a word."""
    entry = UnknownEntry(str(folder / "top/deep"))
    monkeypatch.setattr(os, "scandir", lambda _path: nullcontext([entry]))
    assert problems(LocalSelection([f"{folder}/top/*/*.csv"])) == [f"{entry.path!r} cannot be read: Stale file handle"]


def test_a_directory_is_all_files_below_it(folder: Path) -> None:
    found = [one for one in LocalSelection([folder / "top"]).files() if isinstance(one, SelectedFile)]
    assert {one.relative: one.size for one in found} == {name: len(f"top/{name}") for name in ALL}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", {"a.csv"}),
        ("**/*.csv", {"a.csv", "deep/c.csv", "deep/er/d.csv"}),
        ("*/*.csv", {"deep/c.csv"}),
        ("deep/**", {"deep/c.csv", "deep/er/d.csv"}),
        (".hidden/*", {".hidden/e.csv"}),
        ("?.[ct][sx][vt]", {"a.csv", "b.txt"}),
        ("*.parquet", set()),
    ],
)
def test_a_glob(folder: Path, pattern: str, expected: set[str]) -> None:
    # Relative to the directory before the first wildcard.
    fixed = pattern.partition("*")[0].partition("?")[0].rpartition("/")[0]
    found = names(LocalSelection([f"{folder}/top/{pattern}"]))
    assert {f"{fixed}/{name}" if fixed else name for name in found} == expected


def test_patterns_choose_by_name_and_by_path(folder: Path) -> None:
    chosen = NamePatterns(include=["*.csv"], exclude=["deep/er/*", ".hidden/**"])
    assert names(LocalSelection([folder / "top"], chosen)) == {"a.csv", "deep/c.csv"}


def test_a_file_that_looks_like_a_glob_is_that_file(folder: Path) -> None:
    (folder / "top" / "[x]*.csv").write_bytes(b"x")
    assert names(LocalSelection([folder / "top" / "[x]*.csv"])) == {"[x]*.csv"}


def test_brackets_without_a_range_are_part_of_a_name(folder: Path) -> None:
    """If report[1].csv is missing, report1.csv must not be sent in its place."""
    (folder / "top" / "report1.csv").write_bytes(b"another file")
    missing = LocalSelection([folder / "top" / "report[1].csv"])
    assert names(missing) == set()
    assert problems(missing) == [f"no such file: '{folder}/top/report[1].csv' on this worker"]
    (folder / "top" / "report[1].csv").write_bytes(b"x")
    assert names(LocalSelection([folder / "top" / "report[1].csv"])) == {"report[1].csv"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("report[0-9].csv", {"report1.csv"}),
        ("report[!0].csv", {"report1.csv"}),
        ("report[[]2].csv", {"report[2].csv"}),
        ("[deep]/*.csv", {"c.csv"}),
        ("data[2024-01]*.csv", {"data[2024-01].csv"}),
    ],
)
def test_brackets_that_are_a_pattern(folder: Path, pattern: str, expected: set[str]) -> None:
    for name in ("report1.csv", "report[2].csv", "data[2024-01].csv", "[deep]/c.csv"):
        (folder / "brackets" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "brackets" / name).write_bytes(b"x")
    assert names(LocalSelection([folder / "brackets" / pattern])) == expected


def test_a_pattern_without_a_match_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert names(LocalSelection([folder / "top" / "data[2024-01].csv"])) == set()
    assert "data[2024-01].csv', and no file has this name" in caplog.text


def test_links_are_followed_skipped_or_refused(folder: Path) -> None:
    (folder / "top" / "file.csv").symlink_to(folder / "other" / "f.csv")
    (folder / "top" / "linked").symlink_to(folder / "other")
    followed, skipped, refused = (
        LocalSelection([folder / "top"], symlinks=choice) for choice in ("follow", "skip", "fail")
    )
    assert names(followed) == ALL | {"file.csv", "linked/f.csv"}
    assert (names(skipped), problems(skipped)) == (ALL, [])
    assert names(refused) == ALL
    assert sorted(reason.partition("'")[2].partition("'")[0] for reason in problems(refused)) == [
        str(folder / "top" / "file.csv"),
        str(folder / "top" / "linked"),
    ]


def test_loops_and_dead_links_are_unreadable_and_the_others_are_found(folder: Path) -> None:
    (folder / "top" / "deep" / "up").symlink_to(folder / "top")
    (folder / "top" / "dead.csv").symlink_to(folder / "nowhere")
    (folder / "other" / "self").symlink_to(folder / "other")
    selection = LocalSelection([folder / "top", folder / "other"])
    assert names(selection) == ALL | {"f.csv"}
    found = problems(selection)
    assert len(found) == 3
    assert sum("a loop" in reason for reason in found) == 2
    assert any("dead.csv" in reason for reason in found)


def test_links_that_lead_to_each_other_end(folder: Path) -> None:
    (folder / "top" / "to_other").symlink_to(folder / "other")
    (folder / "other" / "to_top").symlink_to(folder / "top")
    selection = LocalSelection([folder / "top"])
    assert ALL | {"to_other/f.csv"} <= names(selection)
    assert any("a loop" in reason for reason in problems(selection))


def test_a_name_that_is_not_utf8_keeps_its_bytes(folder: Path) -> None:
    name = os.fsdecode(b"b\xffd.csv")
    (folder / "other" / name).write_bytes(b"x")
    assert names(LocalSelection([folder / "other"])) == {"f.csv", name}


def test_what_cannot_work_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="symlinks is 'sometimes': write 'follow', 'skip' or 'fail'"):
        LocalSelection([folder], symlinks="sometimes")
    assert "no such file" in problems(LocalSelection([folder / "missing.csv"]))[0]


def test_a_link_to_itself_is_unreadable_and_the_others_are_found(folder: Path) -> None:
    top = folder / "top"
    (top / "aa").symlink_to(top / "aa")
    assert names(LocalSelection([top])) == ALL
    (reason,) = problems(LocalSelection([top]))
    assert str(top / "aa") in reason
