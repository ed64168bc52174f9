"""The cursor path on DuckDB: a driver that nothing here knows by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.export import CursorRows, JSONLinesFormat, Output, Query
from tests.export.scene import Scene

VALUES = """SELECT 2::UBIGINT AS a, 170141183460469231731687303715884105727::HUGEINT AS b, 1.10::DECIMAL(10,2) AS c,
  TIMESTAMP '2024-01-01 10:00:00.5' AS d, INTERVAL '3 days' AS e, '\\x00\\xFF'::BLOB AS f,
  [1.10::DECIMAL(5,2), NULL] AS g, {'x': DATE '2024-01-01'} AS h, NULL AS i"""


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[], Any]:
    path = tmp_path / "rows.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT i AS id, i % 7 AS a, repeat('x', 90) AS v FROM range(20000) AS r(i)"
        )
    return lambda: duckdb.connect(path)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            Output(),
            (
                "a,b,c,d,e,f,g,h,i\n"
                "2,170141183460469231731687303715884105727,1.10,2024-01-01 10:00:00.5,72:00:00,\\x00ff,"
                '"[""1.10"", null]","{""x"": ""2024-01-01""}",\n'
            ),
        ),
        (
            Output("jsonl", json=JSONLinesFormat("omit", "number", "string")),
            (
                '{"a":"2","b":"170141183460469231731687303715884105727","c":1.10,"d":"2024-01-01T10:00:00.500000",'
                '"e":"72:00:00","f":"\\\\x00ff","g":["1.10",null],"h":{"x":"2024-01-01"}}\n'
            ),
        ),
    ],
)
def test_values(scene: Scene, connect: Callable[[], Any], output: Output, expected: str) -> None:
    scene.export(VALUES, output, source=CursorRows(connect, Query(VALUES), output.row_format))
    assert scene.content() == expected.encode()


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [("SELECT * FROM t WHERE id >= ?", [5]), ("SELECT * FROM t WHERE id >= $least", {"least": 5})],
)
def test_a_retry_resumes(scene: Scene, connect: Callable[[], Any], sql: str, parameters: Any) -> None:
    def export(**settings: Any) -> int:
        source = CursorRows(connect, Query(sql, parameters, ("a", "id")), Output().row_format)
        return scene.export(sql, order_by=("a", "id"), source=source, part_size=102_400, **settings).parts_reused

    with pytest.raises(UploadCancelled):
        export(watch=scene.stop_after(3))
    assert export() >= 3
    resumed = scene.content()
    export()
    assert scene.content() == resumed
    assert resumed.count(b"\n") == 19_996
