"""Moves, deletions and copies of `oss://` paths whose names or places invite a loss of bytes."""

from __future__ import annotations

import pickle
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, ObjectChangedError
from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem, get_fs
from tests.airflow import bucket

_numbers = count()


@pytest.fixture(autouse=True)
def connection(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    monkeypatch.setenv("AIRFLOW_CONN_MY_OSS", bucket.connection(oss))
    OSSFileSystem.clear_instance_cache()


@pytest.fixture
def root() -> str:
    """A folder that no other test uses."""
    return f"{bucket.NAME}/moves/{next(_numbers)}"


@pytest.fixture
def fs() -> Any:
    return get_fs("my_oss", {})


def under(fs: Any, folder: str) -> dict[str, bytes]:
    """Return all files of a folder by their path in it."""
    return {path[len(folder) + 1 :]: fs.cat_file(path) for path in fs.find(folder)}


def fill(fs: Any, folder: str, *names: str) -> None:
    for name in names:
        fs.pipe_file(f"{folder}/{name}", name.encode())


# ---------------------------------------------------------------- moves


def test_a_folder_that_moves_into_itself_keeps_its_files(fs: Any, root: str) -> None:
    fill(fs, f"{root}/d", "1", "a/2")
    fs.mv(f"{root}/d", f"{root}/d/inner", recursive=True)
    assert under(fs, root) == {"d/inner/1": b"1", "d/inner/a/2": b"a/2"}


@pytest.mark.parametrize("spelled", ["oss://{}", "oss://my_oss@{}", "{}/", "/{}"])
def test_a_move_onto_itself_under_another_spelling_keeps_everything(fs: Any, root: str, spelled: str) -> None:
    fill(fs, f"{root}/d", "1", "a/2")
    fs.mv(f"{root}/d", spelled.format(f"{root}/d"), recursive=True)
    fs.mv(f"{root}/d/1", spelled.format(f"{root}/d/1").rstrip("/"))
    assert under(fs, root) == {"d/1": b"1", "d/a/2": b"a/2"}


def test_a_move_that_would_write_over_files_it_moves_is_refused(fs: Any, root: str) -> None:
    fill(fs, f"{root}/d", "x", "d/x")
    with pytest.raises(ValueError, match=r"would be overwritten"):
        fs.mv([f"{root}/d/x", f"{root}/d/d/x"], [f"{root}/d/d/x", f"{root}/d/x"])
    assert under(fs, f"{root}/d") == {"x": b"x", "d/x": b"d/x"}


def test_a_file_that_arrives_during_a_move_is_not_deleted(fs: Any, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(fs, f"{root}/d", "1")
    real = fs.cp_file

    def copy(source: str, target: str, **kwargs: Any) -> Any:
        fill(fs, f"{root}/d", "late")
        return real(source, target, **kwargs)

    monkeypatch.setattr(fs, "cp_file", copy)
    fs.mv(f"{root}/d", f"{root}/e", recursive=True)
    assert under(fs, root) == {"d/late": b"late", "e/1": b"1"}


def test_a_move_of_a_file_keeps_the_object_of_its_name_with_a_slash(fs: Any, oss: DevServer, root: str) -> None:
    marker = f"{fs.split(root)[1]}/a/"
    fs.pipe_file(f"{root}/a", b"file")
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, marker, b"folder")
        fs.mv(f"{root}/a", f"{root}/b")
        assert client.head_object(bucket.NAME, marker).size == len(b"folder")
    assert fs.cat_file(f"{root}/b") == b"file"
    assert not fs.isfile(f"{root}/a")


def test_who_may_only_write_can_put(fs: Any, oss: DevServer, root: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    oss.plan(FaultRule(FaultKind.REPLY, "HeadObject", key="*/target", status=403, code="AccessDenied"))
    fs.put(str(tmp_path / "f"), f"{root}/target")
    assert fs.cat_file(f"{root}/target") == b"1"


def test_who_may_only_write_to_the_target_can_copy(fs: Any, oss: DevServer, root: str) -> None:
    fill(fs, root, "a")
    oss.plan(FaultRule(FaultKind.REPLY, "HeadObject", key="*/target", status=403, code="AccessDenied"))
    fs.cp(f"{root}/a", f"{root}/target")
    assert fs.cat_file(f"{root}/target") == b"a"


def test_a_path_object_is_removed(fs: Any, root: str) -> None:
    fill(fs, root, "a", "b")
    fs.rm(Path(f"{root}/a"))
    assert under(fs, root) == {"b": b"b"}


def test_a_move_whose_copy_fails_deletes_nothing(fs: Any, oss: DevServer, root: str) -> None:
    fill(fs, f"{root}/d", "1", "2")
    oss.plan(FaultRule(FaultKind.REPLY, "CopyObject", status=403, code="AccessDenied"))
    with pytest.raises(PermissionError):
        fs.mv(f"{root}/d", f"{root}/e", recursive=True)
    assert under(fs, f"{root}/d") == {"1": b"1", "2": b"2"}


def test_an_empty_folder_moves(fs: Any, oss: DevServer, root: str) -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, f"{root.partition('/')[2]}/d/empty/", b"")
    fs.mv(f"{root}/d", f"{root}/e", recursive=True)
    assert not fs.exists(f"{root}/d")
    assert fs.isdir(f"{root}/e/empty")


def test_what_cannot_be_moved(fs: Any, root: str) -> None:
    fill(fs, f"{root}/d", "1")
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        fs.mv(f"{root}/d", f"{root}/e")
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{root}/missing", f"{root}/e")
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{root}/missing", f"{root}/e", recursive=True)
    assert under(fs, root) == {"d/1": b"1"}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["report[1].csv", "report?.csv", "report*.csv"])
def test_a_name_that_exists_is_no_pattern(fs: Any, root: str, tmp_path: Path, name: str) -> None:
    fill(fs, root, name, "report1.csv", "report*x.csv")
    assert fs.cat(f"{root}/{name}") == name.encode()
    fs.copy(f"{root}/{name}", f"{root}/copied/plain.csv")
    fs.get(f"{root}/{name}", str(tmp_path / "got.csv"))
    fs.get(f"{root}/{name}", str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "got.csv": name.encode(),
        name: name.encode(),
    }
    fs.mv(f"{root}/{name}", f"{root}/moved/")
    fs.rm(f"{root}/moved/{name}")
    assert set(under(fs, root)) == {"report1.csv", "report*x.csv", "copied/plain.csv"}


def test_a_folder_that_exists_is_no_pattern(fs: Any, root: str, tmp_path: Path) -> None:
    fill(fs, root, "d[1]/a", "d1/a", "there/b")
    fs.copy(f"{root}/d[1]", f"{root}/there", recursive=True)
    fs.get(f"{root}/d[1]", str(tmp_path), recursive=True)
    assert (tmp_path / "d[1]" / "a").read_bytes() == b"d[1]/a"
    fs.rm(f"{root}/d[1]", recursive=True)
    assert under(fs, root) == {"d1/a": b"d1/a", "there/b": b"there/b", "there/d[1]/a": b"d[1]/a"}


def test_a_pattern_stays_a_pattern(fs: Any, oss: DevServer, root: str) -> None:
    fill(fs, root, "a1", "a2", "b1")
    oss.plan(FaultRule(FaultKind.REPLY, "HeadObject", status=403, code="AccessDenied"))  # who may only list
    assert set(fs.cat(f"{root}/a*")) == {f"{root}/a1", f"{root}/a2"}
    fs.rm(f"{root}/a*")
    assert set(under(fs, root)) == {"b1"}


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("path", ["", "/", "oss://", "oss://my_oss@"])
def test_all_buckets_at_once_are_not_deleted(fs: Any, root: str, path: str) -> None:
    fill(fs, root, "a")
    with pytest.raises(ValueError, match="names no bucket"):
        fs.rm(path, recursive=True)
    assert under(fs, root) == {"a": b"a"}


def test_a_file_is_not_written_below_a_folder_of_its_name(fs: Any, root: str, tmp_path: Path) -> None:
    fill(fs, f"{root}/source", "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError, match=str(tmp_path / "a")):
        fs.get_file(f"{root}/source/a", str(tmp_path / "a"))
    with pytest.raises(IsADirectoryError, match=str(tmp_path / "a")):
        fs.sync(f"{root}/source", f"file://{tmp_path}")
    assert list((tmp_path / "a").iterdir()) == []


def test_a_copy_that_fails_names_both_places(fs: Any, root: str) -> None:
    fill(fs, root, "a")
    with pytest.raises(FileNotFoundError, match=rf"{root}/a.* -> .*no-such-bucket/b"):
        fs.cp_file(f"{root}/a", "no-such-bucket/b")


def test_modes_that_do_not_exist(fs: Any, root: str) -> None:
    for mode in ("z", "rw", "b"):
        with pytest.raises(ValueError, match="invalid mode"):
            fs.open(f"{root}/a", mode)
    for mode in ("rb+", "w+", "a"):
        with pytest.raises(NotImplementedError, match="appended to or changed in place"):
            fs.open(f"{root}/a", mode)


def test_a_reader_that_is_sent_elsewhere_reads_the_same_version(fs: Any, root: str) -> None:
    fs.pipe_file(f"{root}/a", b"0123456789")
    with fs.open(f"{root}/a") as file:
        file.read(3)
        sent = pickle.dumps(file)
        assert pickle.loads(sent).read() == b"3456789"  # noqa: S301
        fs.pipe_file(f"{root}/a", b"abcdefghij")
        with pytest.raises(ObjectChangedError):
            pickle.loads(sent).read()  # noqa: S301


# ---------------------------------------------------------------- sync


@pytest.mark.parametrize(("source", "target"), [("s", "s/in"), ("s/in", "s")])
def test_a_folder_is_not_synced_with_one_inside_of_it(fs: Any, root: str, source: str, target: str) -> None:
    fill(fs, root, "s/1", "s/in/1", "s/in/in/2")
    before = under(fs, root)
    with pytest.raises(ValueError, match="neither inside the other"):
        fs.sync(f"{root}/{source}", f"oss://my_oss@{root}/{target}", delete=True)
    assert under(fs, root) == before
    assert fs.sync(f"{root}/s", f"{root}/s", delete=True) == []


def test_sync_uses_the_connection_of_each_url(fs: Any, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(fs, f"{root}/s", "1")
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"conn_type": "oss_resume", "extra": {"auth_type": "AK"}}')
    broken = get_fs("broken")
    assert broken.sync(f"oss://my_oss@{root}/s", f"oss://my_oss@{root}/t") == [f"{root}/t/1"]
    assert fs.cat(f"{root}/t/1") == b"1"


def test_names_that_lead_out_of_a_folder_are_not_synced(fs: Any, root: str, tmp_path: Path) -> None:
    for name in ("a/../../../evil", "x//y"):
        fill(fs, f"{root}/{name[0]}-s", name)
        with pytest.raises(ConfigurationError, match="cannot be a path below a folder"):
            fs.sync(f"{root}/{name[0]}-s", f"file://{tmp_path}/target/deep")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
