"""Many files, some of which change or cannot be read: the others are uploaded, and nothing is half there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.batch import BatchOutput
from airflow_provider_oss_resume.batch.catalog import Catalog
from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.devserver import FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, FilesFailedError, TargetError
from airflow_provider_oss_resume.sources.local_file import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.sources.local_selection import LocalSelection
from airflow_provider_oss_resume.sources.selection import SelectedFile, Unreadable
from tests.server.batches import Batch
from tests.server.uploads import PART

SMALL = {f"{number}.csv": 1000 + number for number in range(40)}
LARGE = 8 * PART + 5
Change = Callable[[Path], None]


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(1000))


def overwrite(path: Path) -> None:
    """Write other bytes of the same number."""
    path.write_bytes(os.urandom(path.stat().st_size))
    os.utime(path, (1, 1))


class ChangingSelection(LocalSelection):
    """Change one file after it was listed: before it is opened, or right after."""

    def __init__(self, folder: Path, name: str, change: Change, *, when_open: bool) -> None:
        super().__init__([folder])
        self._name = name
        self._change = change
        self._when_open = when_open

    def source(self, location: str) -> LocalFile:
        if Path(location).name != self._name:
            return super().source(location)
        if self._when_open:
            return ChangingFile(location, self._change)
        self._change(Path(location))
        return super().source(location)


class ChangingFile(LocalFile):
    """A file that changes right after it was opened."""

    def __init__(self, path: str, change: Change) -> None:
        super().__init__(path)
        self._change = change

    def open(self) -> OpenLocalFile:
        opened = super().open()
        self._change(Path(self.path))
        return opened


def assert_only_missing(batch: Batch, name: str) -> None:
    """Assert that all other objects are whole, and that there is none of this name."""
    assert batch.objects() == {other: data for other, data in batch.files().items() if other != name}
    # An upload in progress is one that the checkpoint names.
    assert batch.uploads_left() == ([batch.prefix + name] if batch.store.text else [])


@pytest.mark.parametrize("name", ["7.csv", "large.bin"])
@pytest.mark.parametrize("change", [shrink, grow, overwrite])
def test_a_file_that_changes_while_it_is_read_fails_alone_and_the_retry_sends_it(
    batch: Batch, name: str, change: Change
) -> None:
    batch.write({**SMALL, "large.bin": LARGE})
    with pytest.raises(FilesFailedError, match="1 of 41 files failed") as caught:
        batch.upload(selection=ChangingSelection(batch.folder, name, change, when_open=True))
    assert [Path(one.location).name for one in caught.value.failed] == [name]
    assert not caught.value.permanent
    assert_only_missing(batch, name)
    batch.upload()
    assert batch.objects() == batch.files()
    assert (batch.uploads_left(), batch.store.text) == ([], None)


@pytest.mark.parametrize("name", ["7.csv", "large.bin"])
@pytest.mark.parametrize("change", [shrink, grow, overwrite])
def test_a_file_that_changed_after_it_was_listed_is_sent_as_it_is(batch: Batch, name: str, change: Change) -> None:
    batch.write({**SMALL, "large.bin": LARGE})
    batch.upload(selection=ChangingSelection(batch.folder, name, change, when_open=False))
    assert batch.objects() == batch.files()


@pytest.mark.parametrize("name", ["7.csv", "large.bin"])
def test_a_file_that_vanished_after_it_was_listed_fails_alone(batch: Batch, name: str) -> None:
    batch.write({**SMALL, "large.bin": LARGE})
    with pytest.raises(FilesFailedError, match="1 of 41 files failed") as caught:
        batch.upload(selection=ChangingSelection(batch.folder, name, Path.unlink, when_open=False))
    assert name in caught.value.failed[0].location
    assert "no such file" in caught.value.failed[0].reason
    assert_only_missing(batch, name)


def test_a_listing_that_changes_between_tries_gives_the_objects_of_the_last_one(batch: Batch) -> None:
    """With {index} in the key, a file that is gone moves the keys of all that follow."""
    batch.write({**SMALL, "a-large.bin": LARGE, "b-large.bin": LARGE + 1})
    key = batch.prefix + "{index}-of-all"
    batch.server.plan(FaultRule(FaultKind.REPLY, "UploadPart", status=403, code="AccessDenied", skip=9, count=2))
    with pytest.raises(FilesFailedError):
        batch.upload(key=key)
    for name in ("0.csv", "a-large.bin"):
        (batch.folder / name).unlink()
    batch.upload(key=key)
    files, found = batch.files(), batch.objects()
    for index, name in enumerate(sorted(files)):
        assert found[f"{index}-of-all"] == files[name]
    assert (batch.uploads_left(), batch.store.text) == ([], None)


def test_names_that_cannot_be_keys_among_ten_thousand_fail_alone() -> None:
    wrong = {f"{'d' * 1020}.csv", os.fsdecode(b"b\xffd.csv")}

    def names() -> Iterator[SelectedFile | Unreadable]:
        for number in range(10_000):
            yield SelectedFile(f"/exports/{number}.csv", f"{number}.csv", number)
        yield from (SelectedFile(f"/exports/{name}", name, 1) for name in wrong)

    with closing(Catalog()) as catalog:
        failed = list(catalog.fill(names(), KeyTemplate("exports/")))
        assert catalog.totals()[0] == 10_000
    assert {Path(one.location).name for one in failed} == wrong
    assert all(one.permanent for one in failed)


def test_a_directory_without_permission_fails_alone(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    batch.write({"good.csv": 10, "closed/a.csv": 5})
    (batch.folder / "closed").chmod(0)
    if os.geteuid() == 0:  # root may read every directory
        refuse_to_list(monkeypatch, "closed")
    with pytest.raises(FilesFailedError, match=r"closed' cannot be read: Permission denied"):
        batch.upload()
    monkeypatch.undo()
    assert set(batch.objects()) == {"good.csv"}


def refuse_to_list(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    scandir = os.scandir

    def listed(path: str) -> object:
        if os.path.basename(path) == name:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", listed)


def test_no_room_for_the_list_of_files_is_a_clear_error() -> None:
    names = (SelectedFile(f"/exports/{number}.csv", f"{number}.csv", number) for number in range(10_000))
    with closing(Catalog()) as catalog:
        catalog._database.execute("PRAGMA max_page_count = 50")  # as a full disk: nothing else fills one for a test
        with pytest.raises(TargetError, match=r"cannot be kept in the temporary directory .*full.*: make room there"):
            list(catalog.fill(names, KeyTemplate("exports/")))


def test_one_key_for_the_manifest_and_the_success_object_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="manifest_key 'a/_SUCCESS' is the key of _SUCCESS too"):
        BatchOutput("a/_SUCCESS", "a/_SUCCESS")
