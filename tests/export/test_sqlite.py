"""The cursor path on SQLite, whose columns have no types."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from airflow_provider_oss_resume.exceptions import ConfigurationError, UploadCancelled
from airflow_provider_oss_resume.export import CursorRows, JSONLinesFormat, Output, ParquetOptions, Query
from tests.export.scene import Scene

Source = Callable[..., CursorRows]
SCHEMA = """
CREATE TABLE mixed (id INTEGER PRIMARY KEY, v);
INSERT INTO mixed VALUES (1, 5), (2, 'text'), (3, 1.5), (4, x'00ff'), (5, NULL), (6, 9007199254740993), (7, '');
CREATE TABLE keys (k, v);
INSERT INTO keys VALUES (1, 'a'), (2.5, 'b'), ('c', 'c');
CREATE TABLE pairs (a INTEGER, b INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
  INSERT INTO pairs SELECT i / 100, i % 100, printf('%090d', i) FROM n;
"""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "mixed.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)

    def make(sql: str, output: Output, order_by: tuple[str, ...] = (), parameters: Any = None) -> CursorRows:
        return CursorRows(lambda: sqlite3.connect(path), Query(sql, parameters, order_by), output.row_format)

    return make


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (Output(), b'id,v\n1,5\n2,text\n3,1.5\n4,\\x00ff\n5,\n6,9007199254740993\n7,""\n'),
        (
            Output("jsonl"),
            (
                b'{"id":1,"v":5}\n{"id":2,"v":"text"}\n{"id":3,"v":1.5}\n{"id":4,"v":"\\\\x00ff"}\n{"id":5,"v":null}\n'
                b'{"id":6,"v":9007199254740993}\n{"id":7,"v":""}\n'
            ),
        ),
        (
            Output("jsonl", json=JSONLinesFormat("omit", bigints="string")),
            (
                b'{"id":"1","v":"5"}\n{"id":"2","v":"text"}\n{"id":"3","v":1.5}\n{"id":"4","v":"\\\\x00ff"}\n'
                b'{"id":"5"}\n{"id":"6","v":"9007199254740993"}\n{"id":"7","v":""}\n'
            ),
        ),
    ],
)
def test_each_value_has_a_type_of_its_own(scene: Scene, source: Source, output: Output, expected: bytes) -> None:
    scene.export("", output, ("id",), source=source("SELECT * FROM mixed", output, ("id",)))
    assert scene.content() == expected


def test_columns_of_parquet_are_strings_unless_schema_names_them(scene: Scene, source: Source) -> None:
    output = Output("parquet", parquet=ParquetOptions(schema={"id": "int64"}))
    scene.export("", output, ("id",), source=source("SELECT * FROM mixed WHERE id < 4", output, ("id",)))
    rows = parquet.read_table(io.BytesIO(scene.content())).to_pylist()
    assert rows == [{"id": 1, "v": "5"}, {"id": 2, "v": "text"}, {"id": 3, "v": "1.5"}]


@pytest.mark.parametrize("condition", ["", "WHERE k = 2.5", "WHERE k = 'c'"])
def test_a_key_whose_values_are_not_all_integers_is_refused(scene: Scene, source: Source, condition: str) -> None:
    sql = f"SELECT * FROM keys {condition}"
    with pytest.raises(ConfigurationError, match="must name integers or dates"):
        scene.export(sql, order_by=("k",), source=source(sql, Output(), ("k",)))
    assert scene.server.requests() == []


def test_columns_named_twice_keep_their_names(scene: Scene, source: Source) -> None:
    sql = 'SELECT 1 AS a, 2 AS a, 3 AS "a:1", 4 AS b'
    scene.export(sql, source=source(sql, Output()))
    assert scene.content() == b"a,a,a:1,b\n1,2,3,4\n"
    with pytest.raises(ConfigurationError, match="columns named twice"):
        scene.export(sql, Output("jsonl"), source=source(sql, Output("jsonl")))


def test_names_that_look_like_those_of_columns_named_twice(scene: Scene, source: Source) -> None:
    sql = 'SELECT 1 AS a, 2 AS "a:1"'
    scene.export(sql, source=source(sql, Output()))
    assert scene.content() == b"a,a:1\n1,2\n"


@pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT nothing FROM mixed", "SELECT FROM mixed"])
def test_a_query_that_is_refused_fails_for_good(scene: Scene, source: Source, sql: str) -> None:
    with pytest.raises(ConfigurationError, match="the database refuses the query"):
        scene.export(sql, source=source(sql, Output()))


@pytest.mark.parametrize("output", [Output(), Output("jsonl"), Output("parquet")])
def test_a_key_of_two_columns_resumes_to_the_bytes_of_one_pass(scene: Scene, source: Source, output: Output) -> None:
    def export(**settings: Any) -> int:
        rows = source("SELECT * FROM pairs", output, ("a", "b"))
        return scene.export("", output, ("a", "b"), source=rows, part_size=102_400, **settings).parts_reused

    with pytest.raises(UploadCancelled):
        export(watch=scene.stop_after(3))
    assert export() >= 3
    resumed = scene.content()
    export()
    assert scene.content() == resumed


@pytest.mark.parametrize(("mark", "parameters"), [("?", [3]), (":least", {"least": 3}), ("$least", {"least": 3})])
def test_a_query_with_parameters_resumes(scene: Scene, source: Source, mark: str, parameters: Any) -> None:
    sql = f"SELECT * FROM pairs WHERE a >= {mark}"

    def export(**settings: Any) -> int:
        rows = source(sql, Output(), ("a", "b"), parameters)
        return scene.export(sql, order_by=("a", "b"), source=rows, part_size=102_400, **settings).parts_reused

    with pytest.raises(UploadCancelled):
        export(watch=scene.stop_after(3))
    assert export() >= 3
    assert scene.content().count(b"\n") == 19_702
