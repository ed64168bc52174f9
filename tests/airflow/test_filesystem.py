"""The `oss://` file system on the dev server: what fsspec's own tests do not ask."""

from __future__ import annotations

import gc
import gzip
import io
import os
import pickle
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.generic import rsync

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, IntegrityError, ObjectChangedError
from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem, get_fs
from tests.airflow import bucket
from tests.server.relay import Relay

_numbers = count()


@pytest.fixture(autouse=True)
def connection(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    monkeypatch.setenv("AIRFLOW_CONN_MY_OSS", bucket.connection(oss))
    OSSFileSystem.clear_instance_cache()


@pytest.fixture
def root() -> str:
    """A folder that no other test uses."""
    return f"{bucket.NAME}/fs/{next(_numbers)}"


@pytest.fixture
def fs() -> Any:
    return get_fs("my_oss", {})


def uploads_left(oss: DevServer, root: str) -> list[str]:
    return bucket.unfinished_uploads(oss, root.partition("/")[2])


def test_what_it_says_of_files_and_folders(fs: Any, root: str) -> None:
    fs.pipe(f"{root}/a/b.csv", b"1234")
    entry = fs.info(f"oss://{root}/a/b.csv")
    assert (entry["name"], entry["size"], entry["type"]) == (f"{root}/a/b.csv", 4, "file")
    assert abs(datetime.now(timezone.utc) - fs.modified(f"{root}/a/b.csv")) < timedelta(minutes=5)
    assert fs.info(root)["type"] == fs.info(bucket.NAME)["type"] == "directory"
    assert fs.isdir(root)
    assert not any((fs.isfile(root), fs.exists(f"{root}/x"), fs.isdir(f"{root}/a/b")))
    assert fs.ls(f"{root}/a", detail=False) == fs.ls(f"{root}/a/b.csv", detail=False) == [f"{root}/a/b.csv"]
    assert bucket.NAME in fs.ls("", detail=False)
    assert [*fs.walk(root)] == [(root, ["a"], []), (f"{root}/a", [], ["b.csv"])]
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{root}/x")
    with pytest.raises(FileNotFoundError):
        fs.info("no-such-bucket")


def test_large_files_go_in_parts_and_are_read_in_ranges(fs: Any, oss: DevServer, root: str) -> None:
    content = bytes(range(256)) * 80_000  # 20 MB
    oss.clear_requests()
    with fs.open(f"{root}/large", "wb") as file:
        for start in range(0, len(content), 1_000_000):
            file.write(content[start : start + 1_000_000])
        assert not fs.exists(f"{root}/large")
    assert len(oss.requests("UploadPart")) == 3
    with fs.open(f"{root}/large", "rb") as file:
        file.seek(19_000_000)
        assert file.read(1000) == content[19_000_000:19_001_000]
    assert fs.cat(f"{root}/large") == content
    assert fs.cat_file(f"{root}/large", 5, 10) == content[5:10]


LAYERS: list[dict[str, Any]] = [{"mode": "wb"}, {"mode": "w"}, {"mode": "wb", "compression": "gzip"}]
LAYERS += [{"mode": "w", "compression": name} for name in ("gzip", "bz2", "xz", "zip")]


def lines(mode: str) -> Any:
    return b"line\n" * 400 if "b" in mode else "line\n" * 400


@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_text_and_compression(fs: Any, root: str, layers: dict[str, Any]) -> None:
    with fs.open(f"{root}/file", **layers) as file:
        file.write(lines(layers["mode"]))
    with fs.open(f"{root}/file", **{**layers, "mode": layers["mode"].replace("w", "r")}) as file:
        assert file.read() == lines(layers["mode"])


@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_an_exception_leaves_nothing(fs: Any, oss: DevServer, root: str, layers: dict[str, Any]) -> None:
    def write_and_fail() -> None:
        with fs.open(f"{root}/broken", **layers) as file:
            file.write(lines(layers["mode"]))
            raise RuntimeError("while writing")

    with pytest.raises(RuntimeError, match="while writing"):
        write_and_fail()
    assert not fs.exists(f"{root}/broken")
    assert uploads_left(oss, root) == []


@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_a_file_that_is_never_closed_leaves_nothing(
    fs: Any, oss: DevServer, root: str, layers: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    file = fs.open(f"{root}/forgotten", **layers)
    file.write(lines(layers["mode"]))
    del file
    gc.collect()
    assert not fs.exists(f"{root}/forgotten")
    assert f"oss://{root}/forgotten was opened for writing and never closed" in caplog.text


def test_an_exception_after_parts_were_sent(fs: Any, oss: DevServer, root: str) -> None:
    def write_and_fail() -> None:
        with fs.open(f"{root}/broken", "wb") as file:
            file.write(b"x" * 20_000_000)
            assert uploads_left(oss, root)
            raise RuntimeError("while writing")

    with pytest.raises(RuntimeError, match="while writing"):
        write_and_fail()
    assert not fs.exists(f"{root}/broken")
    assert uploads_left(oss, root) == []


def test_closing_twice_and_after_a_failure(fs: Any, oss: DevServer, root: str) -> None:
    file = fs.open(f"{root}/refused", "wb")
    file.write(b"x")
    oss.plan(FaultRule(FaultKind.REPLY, "PutObject", status=403, code="AccessDenied"))
    with pytest.raises(PermissionError):
        file.close()
    file.close()
    assert not fs.exists(f"{root}/refused")


def test_compression_by_the_ending(fs: Any, root: str) -> None:
    for name in ("a.csv.gz", "a.csv"):
        with fs.open(f"{root}/{name}", "w", compression="infer", encoding="latin-1") as file:
            file.write("ö")
    assert gzip.decompress(fs.cat(f"{root}/a.csv.gz")) == fs.cat(f"{root}/a.csv") == "ö".encode("latin-1")


def test_a_transaction(fs: Any, root: str) -> None:
    def write_and_fail() -> None:
        with fs.transaction:
            fs.pipe(f"{root}/dropped", b"1")
            raise RuntimeError("while writing")

    with fs.transaction:
        fs.pipe(f"{root}/kept", b"1")
        assert not fs.exists(f"{root}/kept")
    assert fs.cat(f"{root}/kept") == b"1"
    with pytest.raises(RuntimeError, match="while writing"):
        write_and_fail()
    assert not fs.exists(f"{root}/dropped")


def test_options_of_the_object(fs: Any, oss: DevServer, root: str) -> None:
    fs.pipe(f"{root}/guessed.csv", b"")
    assert fs.info(f"{root}/guessed.csv")["ContentType"] == "text/csv"
    with fs.open(f"{root}/given", "wb", object_options={"content_type": "text/x", "metadata": {"by": "me"}}) as file:
        file.write(b"1")
    with bucket.client(oss) as client:
        info = client.head_object(bucket.NAME, f"{root.partition('/')[2]}/given")
    assert (info.content_type, dict(info.metadata)) == ("text/x", {"by": "me"})


def test_a_reader_never_mixes_two_versions(fs: Any, root: str) -> None:
    fs.pipe(f"{root}/changing", b"x" * 10_000_000)
    with fs.open(f"{root}/changing", "rb", block_size=1000) as file:
        file.read(10)
        fs.pipe(f"{root}/changing", b"y" * 10_000_000)
        with pytest.raises(ObjectChangedError):
            file.read(5_000_000)


def test_errors_are_those_of_a_file_system(fs: Any, root: str) -> None:
    fs.touch(f"{root}/here")
    with pytest.raises(FileExistsError):
        fs.pipe_file(f"{root}/here", b"x", mode="create")
    with pytest.raises(FileNotFoundError):
        fs.open(f"{root}/missing")
    with pytest.raises(NotImplementedError, match=r"appended to .* write the whole object .* join them with merge"):
        fs.open(f"{root}/here", "ab")
    with pytest.raises(ValueError, match="block_size is -1: write a number of bytes"):
        fs.open(f"{root}/here", block_size=-1)
    for mode in ("wb", "rb"):
        with pytest.raises(IsADirectoryError):
            fs.open(bucket.NAME, mode)
    with pytest.raises(IsADirectoryError):
        fs.open(root)


@pytest.mark.parametrize("ask", ["exists", "isfile"])
def test_an_error_is_not_an_absent_file(fs: Any, oss: DevServer, root: str, ask: str) -> None:
    fs.touch(f"{root}/here")
    oss.plan(FaultRule(FaultKind.REPLY, "HeadObject", status=403, code="AccessDenied"))
    with pytest.raises(PermissionError):
        getattr(fs, ask)(f"{root}/here")
    assert getattr(fs, ask)(f"{root}/here")


def test_whoever_may_not_list_sees_no_directories(fs: Any, oss: DevServer, root: str) -> None:
    oss.plan(FaultRule(FaultKind.REPLY, "ListObjectsV2", count=None, status=403, code="AccessDenied"))
    assert not fs.exists(f"{root}/missing")


def test_a_file_that_must_not_exist(fs: Any, root: str) -> None:
    first, second = (fs.open(f"{root}/once", "xb") for _ in range(2))
    for file in (first, second):
        file.write(b"x" * 10_000_000)
    first.close()
    with pytest.raises(FileExistsError):
        second.close()
    assert fs.size(f"{root}/once") == 10_000_000


def test_moving_and_removing_folders(fs: Any, root: str) -> None:
    for name in ("a/1", "a/b/2"):
        fs.pipe(f"{root}/{name}", name.encode())
    fs.mv(f"{root}/a", f"{root}/c", recursive=True)
    assert fs.find(root) == [f"{root}/c/1", f"{root}/c/b/2"]
    assert fs.cat(f"{root}/c/b/2") == b"a/b/2"
    with pytest.raises(OSError, match="is not empty"):
        fs.rmdir(f"{root}/c")
    fs.rm(root, recursive=True)
    assert not fs.exists(root)


def test_it_can_be_sent_to_another_process(fs: Any, root: str) -> None:
    fs.pipe(f"{root}/pickled", b"x")
    assert pickle.loads(pickle.dumps(fs)).cat(f"{root}/pickled") == b"x"  # noqa: S301


def test_keys_with_empty_segments(fs: Any, root: str) -> None:
    for name in ("a/1", "a//2", "b/"):
        fs.pipe_file(f"{root}/{name}", b"x")
    fs.touch(f"{root}/c")
    assert [path for path, _, _ in fs.walk(root)] == [root, f"{root}/a"]
    assert fs.find(root) == [f"{root}/a//2", f"{root}/a/1", f"{root}/b", f"{root}/c"]
    assert fs.find(root, withdirs=True)[:2] == [root, f"{root}/a"]
    fs.rm(root, recursive=True)
    assert not fs.exists(root)


def test_objects_that_stand_for_directories(fs: Any, oss: DevServer, root: str) -> None:
    prefix = root.partition("/")[2]
    with bucket.client(oss) as client:
        for key in (f"{prefix}/", f"{prefix}/empty/"):
            client.put_object(bucket.NAME, key, b"")
        assert (fs.find(root), fs.ls(root, detail=False)) == ([], [f"{root}/empty"])
        assert fs.isdir(f"{root}/empty")
        fs.rmdir(f"{root}/empty")
        assert not fs.exists(f"{root}/empty")
        fs.rm(root, recursive=True)
        assert list(client.list_objects(bucket.NAME, prefix + "/")) == []


def test_all_files_by_one_listing(fs: Any, oss: DevServer, root: str) -> None:
    for number in range(5):
        fs.touch(f"{root}/{number}/{number}")
    oss.clear_requests()
    assert len(fs.find(root)) == 5
    assert len(oss.requests()) == 1


def test_files_come_back_verified_and_in_ranges(fs: Any, oss: DevServer, root: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 80_000
    (tmp_path / "there").write_bytes(content)
    fs.put(str(tmp_path / "there"), f"{root}/large")
    oss.clear_requests()
    fs.get(f"{root}/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == content
    assert len(oss.requests("GetObject")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "there"]
    received = io.BytesIO()
    fs.get_file(f"{root}/large", received)
    assert received.getvalue() == content


def test_bytes_that_changed_on_the_way(
    fs: Any, oss: DevServer, root: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fs.pipe(f"{root}/a", b"x" * 1_000_000)
    with Relay(oss.port, flips=1) as relay:
        monkeypatch.setenv("AIRFLOW_CONN_RELAYED", bucket.connection(oss).replace(oss.url, relay.url))
        with pytest.raises(IntegrityError):
            get_fs("relayed").get(f"{root}/a", str(tmp_path / "a"))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_locally(fs: Any, root: str, tmp_path: Path) -> None:
    fs.pipe(f"{root}/a", b"1")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        fs.get_file(f"{root}/a", str(tmp_path / "file" / "below"))
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{root}/missing", str(tmp_path / "missing"))


def test_deletions_that_oss_refuses(fs: Any, oss: DevServer, root: str) -> None:
    fs.pipe(f"{root}/a", b"1")
    oss.plan(FaultRule(FaultKind.REPLY, "DeleteMultipleObjects", status=403, code="AccessDenied"))
    with pytest.raises(PermissionError):
        fs.rm(f"{root}/a")
    assert fs.exists(f"{root}/a")


def test_the_rest(fs: Any, root: str) -> None:
    fs.pipe(f"{root}/a", b"12")
    before = fs.ukey(f"{root}/a"), fs.checksum(f"{root}/a")
    fs.touch(f"{root}/a", truncate=False)
    assert (fs.ukey(f"{root}/a"), fs.checksum(f"{root}/a")) == before
    fs.touch(f"{root}/a")
    assert fs.ukey(f"{root}/a") != before[0]
    assert fs.sign(f"{root}/a", 60).startswith("http")
    assert fs.created(f"{root}/a") == fs.modified(f"{root}/a")
    assert fs.du(root) == 0
    assert fs.glob(f"{root}/*") == [f"{root}/a"]


def test_merge(fs: Any, oss: DevServer, root: str) -> None:
    pieces = [bytes([number]) * size for number, size in enumerate((100 * 1024, 200 * 1024, 1))]
    names = [f"{root}/{number}" for number in range(3)]
    for name, piece in zip(names, pieces, strict=True):
        fs.pipe(name, piece)
    oss.clear_requests()
    fs.merge(f"{root}/joined.csv", names)
    assert oss.requests("UploadPart") == oss.requests("GetObject") == []
    assert fs.cat(f"{root}/joined.csv") == b"".join(pieces)
    assert fs.info(f"{root}/joined.csv")["ContentType"] == "text/csv"
    with pytest.raises(ConfigurationError, match="has 1 bytes"):
        fs.merge(f"{root}/joined", names[::-1])
    with pytest.raises(FileNotFoundError, match=f"{root}/missing"):
        fs.merge(f"{root}/joined", [f"{root}/missing"])
    oss.plan(FaultRule(FaultKind.REPLY, "UploadPartCopy", status=403, code="AccessDenied"))
    with pytest.raises(PermissionError):
        fs.merge(f"{root}/joined", names)
    assert uploads_left(oss, root) == []


# ---------------------------------------------------------------- two places


def local_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


COPIES: dict[str, Callable[[Any, str, Path], object]] = {
    "cp_file": lambda fs, root, _: fs.copy(f"{root}/from", f"{root}/to", recursive=True),
    "get_file": lambda fs, root, tmp_path: fs.get(f"{root}/from", str(tmp_path / "to"), recursive=True),
    "put_file": lambda fs, root, tmp_path: fs.put(str(tmp_path / "from"), f"{root}/to", recursive=True),
    "sync": lambda fs, root, _: fs.sync(f"oss://{root}/from", f"oss://{root}/to"),
}


@pytest.mark.parametrize("name", COPIES)
def test_files_are_copied_at_the_same_time(
    fs: Any, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fs.pipe({f"{root}/from/{number}": b"x" for number in range(4)})
    (tmp_path / "from").mkdir()
    for number in range(4):
        (tmp_path / "from" / str(number)).write_bytes(b"x")
    method = "cp_file" if name == "sync" else name
    real, all_four = getattr(fs, method), threading.Barrier(4, timeout=60)

    def copy(source: str, target: str, **kwargs: Any) -> None:
        if source.rpartition("/")[2].isdigit() and source.rpartition("/")[0].endswith("from"):
            all_four.wait()  # breaks unless four copies are in progress at the same time
        real(source, target, **kwargs)

    monkeypatch.setattr(fs, method, copy)
    COPIES[name](fs, root, tmp_path)
    assert not all_four.broken
    found = sorted(os.listdir(tmp_path / "to")) if name == "get_file" else sorted(fs.ls(f"{root}/to", detail=False))
    assert [one.rpartition("/")[2] for one in found] == ["0", "1", "2", "3"]


def test_an_error_ends_a_copy_of_many_files(fs: Any, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fs.pipe({f"{root}/from/{number:02d}": b"x" for number in range(40)})
    begun: list[str] = []

    def refuse(source: str, _target: str, **_: Any) -> None:
        begun.append(source)
        raise PermissionError(source)

    monkeypatch.setattr(fs, "cp_file", refuse)
    with pytest.raises(PermissionError):
        fs.copy(f"{root}/from", f"{root}/to", recursive=True)
    assert len(begun) < 40


def test_sync(fs: Any, root: str, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    (source / "deep").mkdir(parents=True)
    (source / "a").write_bytes(b"a")
    (source / "deep" / "b").write_bytes(b"b")
    for name in ("a", "deep/b"):
        os.utime(source / name, (1e9, 1e9))  # OSS tells times in whole seconds
    fs.pipe(f"{root}/extra", b"1")
    target = f"oss://my_oss@{root}"
    assert fs.sync(f"file://{source}", target) == [f"{root}/a", f"{root}/deep/b"]
    assert fs.sync(f"file://{source}", target) == []
    (source / "a").write_bytes(b"longer")
    assert fs.sync(f"file://{source}", target, delete=True) == [f"{root}/a"]
    assert not fs.exists(f"{root}/extra")
    assert len(fs.sync(root, f"{root}-2")) == 2
    fs.sync(f"{root}-2", f"file://{back}")
    assert local_files(back) == local_files(source) == {"a": b"longer", "deep/b": b"b"}
    fs.sync(root, "memory://synced")
    assert fsspec.filesystem("memory").cat("/synced/deep/b") == b"b"
    with pytest.raises(ValueError, match="not a directory"):
        fs.sync(f"file://{source / 'a'}", root)


@pytest.mark.parametrize("ends", [("{other}", "{ours}-2"), ("{ours}", "{other}-2")])
def test_sync_uses_the_connection_that_a_url_names(
    fs: Any, oss: DevServer, root: str, ends: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER_OSS", bucket.connection(oss).replace("test-secret", "another-secret"))
    fs.pipe(f"{root}/a", b"a")
    source, target = (one.format(other=f"oss://other_oss@{root}", ours=root) for one in ends)
    with pytest.raises(PermissionError, match="SignatureDoesNotMatch"):
        fs.sync(source, target)
    assert fs.find(f"{root}-2") == []


def test_a_newer_file_of_the_same_size_is_copied(fs: Any, root: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    fs.sync(f"file://{tmp_path}", root)
    (tmp_path / "a").write_bytes(b"2")
    later = datetime.now().timestamp() + 100
    os.utime(tmp_path / "a", (later, later))
    assert fs.sync(f"file://{tmp_path}", root) == [f"{root}/a"]
    assert fs.cat(f"{root}/a") == b"2"


def test_rsync_of_fsspec_finds_the_connection_in_the_url(root: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_bytes(b"a")
    rsync(f"file://{tmp_path}/there", f"oss://my_oss@{root}")
    rsync(f"oss://my_oss@{root}", f"oss://my_oss@{root}-2")
    rsync(f"oss://my_oss@{root}-2", f"file://{tmp_path}/back")
    assert local_files(tmp_path / "back") == {"a": b"a"}


def test_urls_of_fsspec(root: str) -> None:
    with fsspec.open(f"oss://my_oss@{root}/a.txt.gz", "wt", compression="infer") as file:
        file.write("by URL")
    with fsspec.open(f"oss://{root}/a.txt.gz", "rt", compression="infer", conn_id="my_oss") as file:
        assert file.read() == "by URL"
    fs, path = fsspec.url_to_fs(f"oss://my_oss@{root}/a")
    assert (fs.conn_id, path, fs.unstrip_protocol(path)) == ("my_oss", f"{root}/a", f"oss://my_oss@{root}/a")
    assert get_fs(None).unstrip_protocol(path) == f"oss://{root}/a"
