"""Lists of checkpoints that need no Airflow, put to the suite that all lists pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_oss_resume.checkpoint.listing import ListableStore, StoredCheckpoint, list_checkpoints
from airflow_provider_oss_resume.checkpoint.record import decode
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.encrypted import EncryptedCheckpoints, EncryptedStore
from airflow_provider_oss_resume.stores.file import FileStore, FileStoreDirectory
from airflow_provider_oss_resume.stores.memory import MemoryStore
from tests.conformance.listing_cases import CASES, TEXTS

KEY, OTHER_KEY = (Fernet.generate_key().decode() for _ in range(2))


def files(folder: Path) -> ListableStore:
    for number, text in enumerate(TEXTS):
        FileStore(folder / f"{number}.ckpt").save(text)
    (folder / "0.csv").write_text("not a checkpoint")
    (folder / "folder.ckpt").mkdir()
    return FileStoreDirectory(folder)


def encrypted_files(folder: Path) -> ListableStore:
    for number, text in enumerate(TEXTS):
        EncryptedStore(FileStore(folder / f"{number}.ckpt"), [KEY]).save(text)
    return EncryptedCheckpoints(FileStoreDirectory(folder), [KEY])


def partly_encrypted_files(folder: Path) -> ListableStore:
    FileStore(folder / "0.ckpt").save(TEXTS[0])
    EncryptedStore(FileStore(folder / "1.ckpt"), [KEY]).save(TEXTS[1])
    return EncryptedCheckpoints(FileStoreDirectory(folder), [KEY])


PLACES: dict[str, Callable[[Path], ListableStore]] = {
    "files": files,
    "encrypted files": encrypted_files,
    "files of which one is encrypted": partly_encrypted_files,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("place", PLACES)
def test_conformance(place: str, case: str, tmp_path: Path) -> None:
    CASES[case](PLACES[place](tmp_path))


def test_a_memory_store_lists_its_text() -> None:
    store = MemoryStore()
    assert list(list_checkpoints(store)) == []
    store.save(TEXTS[0])
    [found] = list_checkpoints(store)
    assert found.checkpoint == replace(decode(TEXTS[0]), parts=())
    store.remove("another")
    assert store.load() == TEXTS[0]
    store.remove(found.store_key)
    assert store.load() is None


def test_a_directory_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert list(FileStoreDirectory(tmp_path / "none").texts()) == []


@pytest.mark.parametrize("name", ["", "../a.ckpt", "/etc/a.ckpt", "folder/a.ckpt", ".."])
def test_only_files_of_the_directory_are_removed(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "a.ckpt"
    outside.write_text("kept")
    (tmp_path / "directory").mkdir()
    with pytest.raises(ConfigurationError, match="is not a file name"):
        FileStoreDirectory(tmp_path / "directory").remove(name)
    assert outside.exists()


def test_what_cannot_be_read_is_listed_with_the_reason(tmp_path: Path) -> None:
    """Whoever asks whether any checkpoint names an upload must know that one could not be read."""
    (tmp_path / "a.ckpt").write_bytes(b"\xff damaged")
    EncryptedStore(FileStore(tmp_path / "b.ckpt"), [OTHER_KEY]).save(TEXTS[0])
    place = EncryptedCheckpoints(FileStoreDirectory(tmp_path), [KEY])
    assert list(list_checkpoints(place)) == [
        StoredCheckpoint("a.ckpt", "the checkpoint is not JSON (JSONDecodeError)"),
        StoredCheckpoint("b.ckpt", "the checkpoint is encrypted: its keys are needed to read it"),
    ]
