"""The stores that need no Airflow, put to the suite that all stores pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.control.crash_points import ENVIRONMENT_VARIABLE
from airflow_provider_oss_resume.stores.encrypted import EncryptedStore
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.stores.memory import MemoryStore
from tests.conformance.store_cases import CASES

STORES: dict[str, Callable[[Path], CheckpointStore]] = {
    "memory": lambda _: MemoryStore(),
    "file": lambda folder: FileStore(folder / "a.ckpt"),
    "file in a folder yet to be made": lambda folder: FileStore(folder / "new" / "folder" / "a.ckpt"),
    "encrypted": lambda folder: EncryptedStore(FileStore(folder / "a.ckpt"), [Fernet.generate_key().decode()]),
    "file of a name that looks like a pattern": lambda folder: FileStore(folder / "[*]?.ckpt"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("store", STORES)
def test_conformance(store: str, case: str, tmp_path: Path) -> None:
    CASES[case](STORES[store](tmp_path))


def test_a_file_outlives_its_store_object(tmp_path: Path) -> None:
    FileStore(tmp_path / "a.ckpt").save("text")
    assert FileStore(tmp_path / "a.ckpt").load() == "text"


def test_the_file_is_where_it_was_said_to_be(tmp_path: Path) -> None:
    """Another client writes beside the folder it was given if that does not end in a slash (F, E2)."""
    paths: list[str | Path] = [f"{tmp_path}/one/a", f"{tmp_path}/two/../three/b", tmp_path / "four" / "c"]
    for number, path in enumerate(paths):
        FileStore(path).save(str(number))
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"one/a": "0", "three/b": "1", "four/c": "2"}


def test_two_files_do_not_know_of_each_other(tmp_path: Path) -> None:
    one, other = FileStore(tmp_path / "a.ckpt"), FileStore(tmp_path / "a.ckpt.b")
    one.save("one")
    other.save("other")
    one.delete()
    assert (one.load(), other.load()) == (None, "other")


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    FileStore(tmp_path / "a.ckpt").save("text")
    assert (tmp_path / "a.ckpt").stat().st_mode & 0o777 == 0o600


def test_nothing_but_the_file_is_left_over(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "a.ckpt")
    for text in ("one", "two"):
        store.save(text)
    assert os.listdir(tmp_path) == ["a.ckpt"]
    store.delete()
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_leaves_the_last_text_and_no_litter(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "a.ckpt")
    store.save("good")
    with pytest.raises(UnicodeEncodeError):
        store.save("\ud800")
    assert store.load() == "good"
    assert os.listdir(tmp_path) == ["a.ckpt"]


def test_a_kill_in_the_middle_of_a_write_leaves_the_last_text_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    FileStore(path).save("good")
    code = "import sys; from airflow_provider_oss_resume.stores.file import FileStore as S; S(sys.argv[1]).save('new')"
    environment = {**os.environ, ENVIRONMENT_VARIABLE: "inside_checkpoint_write"}
    child = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    assert FileStore(path).load() == "good"
    assert len(os.listdir(tmp_path)) == 2
    FileStore(path).delete()
    assert os.listdir(tmp_path) == []  # what the kill left is swept with it
