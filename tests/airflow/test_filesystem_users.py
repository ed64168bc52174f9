"""`oss://` in Airflow and in data libraries, on the dev server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow.providers.common.io.operators.file_transfer import FileTransferOperator

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem
from demo.versions import AIRFLOW_3
from tests.airflow import bucket

_numbers = count()


@pytest.fixture(autouse=True)
def connection(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_OSS", bucket.connection(oss))
    OSSFileSystem.clear_instance_cache()


@pytest.fixture
def folder() -> Any:
    """A folder that no other test uses, as a path."""
    return ObjectStoragePath(f"oss://my_oss@{bucket.NAME}/paths/{next(_numbers)}")


# ---------------------------------------------------------------- paths


def test_a_path(folder: Any) -> None:
    path = folder / "report.txt"
    assert not path.exists()
    with path.open("w") as file:
        file.write("by path")
    assert path.read_bytes() == b"by path"
    assert (path.exists(), path.is_file(), path.is_dir(), path.stat().st_size) == (True, True, False, 7)
    assert path.stat().st_mtime > 0
    assert [one.name for one in folder.iterdir()] == ["report.txt"]
    assert [one.name for one in folder.glob("*.txt")] == ["report.txt"]
    assert str(path) == f"oss://my_oss@{path.path}"
    assert path.key == path.path.partition("/")[2]
    if AIRFLOW_3:  # 2.11 leaves the connection in the name of the bucket, of s3:// too
        assert (path.bucket, path.conn_id, path.namespace) == (bucket.NAME, "my_oss", f"oss://{bucket.NAME}")
    path.copy(folder / "copied.txt")
    path.move(folder / "moved.txt")
    assert {one.name for one in folder.iterdir()} == {"copied.txt", "moved.txt"}
    (folder / "copied.txt").unlink()
    assert not (folder / "copied.txt").exists()
    assert ObjectStoragePath.deserialize((folder / "moved.txt").serialize(), 1).read_text() == "by path"


def test_a_path_between_two_stores(folder: Any, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"local")
    path = folder / "there"
    ObjectStoragePath(f"file://{tmp_path}/local").copy(path)
    path.copy(ObjectStoragePath(f"file://{tmp_path}/back"))
    assert (tmp_path / "back").read_bytes() == path.read_bytes() == b"local"


def test_an_exception_in_the_block_of_a_path(folder: Any) -> None:
    path = folder / "broken"

    def write_and_fail() -> None:
        with path.open("w") as file:
            file.write("half")
            raise RuntimeError("while writing")

    with pytest.raises(RuntimeError, match="while writing"):
        write_and_fail()
    assert not path.exists()


def test_airflow_lists_the_file_system() -> None:
    manager: Any = import_module("airflow.providers_manager").ProvidersManager()
    assert "airflow_provider_oss_resume.filesystem.oss" in manager.filesystem_module_names


def test_a_path_in_a_dag_file_costs_nothing() -> None:
    """Neither the connection is read nor is the client imported; no such connection exists here."""
    script = (
        "import sys\n"
        "from airflow.providers.common.compat.sdk import ObjectStoragePath\n"
        "path = ObjectStoragePath('oss://no_such_connection@bucket/folder') / 'file'\n"
        "ours = sorted(name for name in sys.modules if name.startswith('airflow_provider_oss_resume.'))\n"
        "print('loaded', *ours)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()[1:]
    assert ("airflow_provider_oss_resume.filesystem.oss" in loaded) == AIRFLOW_3  # Airflow 2 opens it at the first use
    assert set(loaded) <= {
        "airflow_provider_oss_resume.provider_info",
        "airflow_provider_oss_resume.exceptions",
        "airflow_provider_oss_resume.error_details",
        *(
            f"airflow_provider_oss_resume.filesystem{name}"
            for name in ("", ".changes", ".errors", ".file", ".listing", ".oss", ".upath")
        ),
    }


# ---------------------------------------------------------------- universal-pathlib and fsspec


def test_universal_pathlib_finds_it_without_ossfs() -> None:
    script = "from upath.registry import get_upath_class; print(get_upath_class('oss').__name__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "OSSPath"


def test_fsspec_finds_it_without_ossfs() -> None:
    assert import_module("fsspec").get_filesystem_class("oss") is OSSFileSystem


# ---------------------------------------------------------------- providers


@pytest.fixture(params=["", "gzip"])
def xcom(request: pytest.FixtureRequest, folder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The XCom backend of common.io, with and without compression."""
    module: Any = import_module("airflow.providers.common.io.xcom.backend")
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", f"{folder}/xcom")
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD", "10")
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION", request.param)
    settings = (module._get_base_path, module._get_threshold, module._get_compression)
    for setting in settings:
        setting.cache_clear()
    yield module.XComObjectStorageBackend
    for setting in settings:
        setting.cache_clear()


def test_the_xcom_backend_for_object_storage(xcom: Any, folder: Any) -> None:
    value = {"rows": ["x" * 100]}
    stored = xcom.serialize_value(value, key="k", task_id="t", dag_id="d", run_id="r")
    text = stored if AIRFLOW_3 else json.loads(stored)
    assert text.startswith(f"{folder}/xcom/d/r/t/")
    row: Any = type("Row", (), {"value": stored})()
    assert xcom.deserialize_value(row) == value
    xcom.purge(type("Row", (), {"value": text})())
    assert not ObjectStoragePath(text).exists()


def transfer(src: Any, dst: Any, **options: Any) -> None:
    # Airflow 2.11 does not read the connection in a URL that this operator gets.
    connections = {"source_conn_id": src, "dest_conn_id": dst}
    options |= {name: "my_oss" for name, place in connections.items() if not str(place).startswith("file:")}
    FileTransferOperator(task_id="transfer", src=str(src), dst=str(dst), **options).execute({})


def test_the_file_transfer_operator(folder: Any, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(b"1" * 1000)
    transfer(f"file://{tmp_path}/local", folder / "a")
    transfer(folder / "a", folder / "b")
    transfer(folder / "b", f"file://{tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == b"1" * 1000
    with pytest.raises(ValueError, match="already exists"):
        transfer(f"file://{tmp_path}/local", folder / "a")
    (tmp_path / "local").write_bytes(b"2")
    transfer(f"file://{tmp_path}/local", folder / "a", overwrite=True)
    assert (folder / "a").read_bytes() == b"2"


# ---------------------------------------------------------------- data libraries


def library(name: str) -> Any:
    """Import a library that the environment of Airflow 2 does not have: it does not know Airflow."""
    return pytest.importorskip(name)


def test_pandas(folder: Any) -> None:
    pandas = library("pandas")
    table = pandas.DataFrame({"id": [1, 2], "name": ["a", "ü"]})
    url = str(folder / "table")
    table.to_csv(f"{url}.csv", index=False)
    table.to_parquet(f"{url}.parquet")
    with (folder / "table.json").open("w") as file:
        table.to_json(file)
    assert pandas.read_csv(f"{url}.csv").equals(table)
    assert pandas.read_parquet(f"{url}.parquet").equals(table)
    assert pandas.read_parquet((folder / "table.parquet").path, filesystem=folder.fs).equals(table)
    with (folder / "table.json").open() as file:
        assert pandas.read_json(file).equals(table)
    options = {"conn_id": "my_oss"}
    without_connection = f"oss://{(folder / 'table.csv').path}"
    assert pandas.read_csv(without_connection, storage_options=options).equals(table)


def test_polars(folder: Any) -> None:
    polars = library("polars")
    table = polars.DataFrame({"id": [1, 2], "name": ["a", "ü"]})
    with (folder / "table.parquet").open("wb") as file:
        table.write_parquet(file)
    with folder.fs.open((folder / "table.csv").path, "wb") as file:
        table.write_csv(file)
    with (folder / "table.csv").open("rb") as file:
        assert polars.read_csv(file.read()).equals(table)
    with folder.fs.open((folder / "table.csv").path) as file:
        assert polars.read_csv(file).equals(table)
    with folder.fs.open((folder / "table.parquet").path) as file:
        assert polars.scan_parquet(file).filter(polars.col("id") > 1).collect().rows() == [(2, "ü")]


def test_pyarrow(folder: Any) -> None:
    library("pyarrow")
    arrow, parquet, dataset = map(import_module, ("pyarrow", "pyarrow.parquet", "pyarrow.dataset"))
    table = arrow.table({"id": [1, 2, 3], "part": ["a", "a", "b"]})
    parquet.write_table(table, (folder / "one.parquet").path, filesystem=folder.fs)
    assert parquet.read_table((folder / "one.parquet").path, filesystem=folder.fs).equals(table)
    dataset.write_dataset(table, (folder / "many").path, filesystem=folder.fs, format="parquet", partitioning=["part"])
    many = dataset.dataset((folder / "many").path, filesystem=folder.fs, format="parquet", partitioning=["part"])
    assert sorted(many.to_table().column("id").to_pylist()) == [1, 2, 3]
    assert many.to_table(filter=dataset.field("part") == "b").column("id").to_pylist() == [3]


def test_duckdb(folder: Any) -> None:
    duckdb = library("duckdb")
    with duckdb.connect() as database:
        database.register_filesystem(folder.fs)
        one = f"oss://{(folder / 'one.parquet').path}"
        database.execute(f"copy (select range id from range(1000)) to '{one}' (format parquet)")
        assert database.execute(f"select sum(id) from '{one}'").fetchall() == [(499500,)]
        everything = f"oss://{folder.path}/*.parquet"
        assert database.execute(f"select count(*) from read_parquet('{everything}')").fetchall() == [(1000,)]
