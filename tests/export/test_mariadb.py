"""The cursor path on a real MariaDB, where one is installed (Debian: mariadb-server)."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pyarrow import parquet

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError, UploadCancelled
from airflow_provider_oss_resume.export import CSVFormat, CursorRows, JSONLinesFormat, Output, Query
from airflow_provider_oss_resume.export.formats.row_format import RowFormat
from tests.export.scene import Scene

pytestmark = pytest.mark.skipif(shutil.which("mariadbd") is None, reason="MariaDB is not installed")

SQL = "SELECT * FROM orders"
Connect = Callable[[], Any]


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    with tempfile.TemporaryDirectory(prefix="oss-resume-maria-") as name:
        data, socket = f"--datadir={name}/data", Path(name) / "socket"
        common = ["--no-defaults", "--user=root", data]
        subprocess.run(
            ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
        )
        server = subprocess.Popen(
            ["mariadbd", *common, f"--socket={socket}", "--skip-networking"], stderr=subprocess.DEVNULL
        )
        try:
            yield _connect_when_up(socket)
        finally:
            server.terminate()
            server.wait(30)


def _connect_when_up(socket: Path) -> Connect:
    def connect(database: str | None = "shop") -> Any:
        return pymysql.connect(unix_socket=str(socket), user="root", database=database, charset="utf8mb4")

    deadline = time.monotonic() + 60
    while not socket.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with closing(connect(None)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE shop")
    with closing(connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE orders (id BIGINT PRIMARY KEY, d DECIMAL(20,2), s VARCHAR(50), t DATETIME(6), b BLOB, "
            "f DOUBLE, day DATE)"
        )
        cursor.execute(
            "INSERT INTO orders SELECT seq, seq * 1.1, IF(seq % 3 = 0, NULL, 'x,y'), '2024-06-01 10:00:00.12', "
            "x'00ff', seq / 4, '2024-06-01' FROM seq_1_to_20000"
        )
        connection.commit()
    return connect


def test_values(connect: Connect) -> None:
    query = Query(f"{SQL} WHERE s IS NULL OR s LIKE %s", ("x%",), ("id",))
    expected: dict[RowFormat, bytes] = {
        CSVFormat(): b'1,1.10,"x,y",2024-06-01 10:00:00.12,\\x00ff,0.25,2024-06-01\n',
        JSONLinesFormat(): b'{"id":1,"d":"1.10","s":"x,y","t":"2024-06-01T10:00:00.120000","b":"\\\\x00ff","f":0.25,'
        b'"day":"2024-06-01"}\n',
    }
    for row_format, first in expected.items():
        rows: list[bytes] = []
        with closing(CursorRows(connect, query, row_format)) as source:
            source.stream(rows.append)
        assert (len(rows), rows[0]) == (20_000, first)


def rows(connect: Connect, query: Query, row_format: RowFormat) -> bytes:
    found: list[bytes] = []
    with closing(CursorRows(connect, query, row_format)) as source:
        source.stream(found.append)
    return b"".join(found)


def test_values_that_python_does_not_have(connect: Connect) -> None:
    sql = """SELECT CAST('838:59:59' AS TIME) AS a, CAST('-01:02:03.5' AS TIME(6)) AS b, CAST('00:00' AS TIME) AS c,
      DATE '0000-00-00' AS d, CAST(-1 AS UNSIGNED) AS e, b'101' AS f, CAST(1.5 AS DECIMAL(65,30)) AS g"""
    expected = b"838:59:59,-01:02:03.5,00:00:00,0000-00-00,18446744073709551615,\\x05,1." + b"5".ljust(30, b"0") + b"\n"
    assert rows(connect, Query(sql), CSVFormat()) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (r"SELECT 'it\'s; x' AS a", b"it's; x\n"),
        (r'SELECT "say \"a; b\"" AS a', b'"say ""a; b"""\n'),
        (r"SELECT 'a\\' AS a; -- x", b"a\\\n"),
        ("# the first line\nSELECT 1 AS a # and; another", b"1\n"),
        ("SELECT `a;b` FROM (SELECT 1 AS `a;b`) AS q", b"1\n"),
        ("SELECT 1 AS a /*! , 2 AS b */", b"1,2\n"),
    ],
)
def test_statements(connect: Connect, sql: str, expected: bytes) -> None:
    assert rows(connect, Query(sql), CSVFormat()) == expected


def test_options_of_json_lines(connect: Connect) -> None:
    sql = "SELECT CAST(-1 AS UNSIGNED) AS u, CAST(5 AS SIGNED) AS i, 1.50 AS d, NULL AS n, TRUE AS t"
    assert rows(connect, Query(sql), JSONLinesFormat()) == (
        b'{"u":18446744073709551615,"i":5,"d":"1.50","n":null,"t":1}\n'
    )
    assert rows(connect, Query(sql), JSONLinesFormat("omit", "number", "string")) == (
        b'{"u":"18446744073709551615","i":"5","d":1.50,"t":"1"}\n'
    )


def test_keys_of_unsigned_integers_and_dates(scene: Scene, connect: Connect) -> None:
    sql = """SELECT CAST(18446744073709540000 + id DIV 100 AS UNSIGNED) AS k,
      DATE_ADD(DATE '2024-01-01', INTERVAL id % 100 DAY) AS day, s FROM orders"""
    order_by = "k", "day"

    def export(**settings: Any) -> int:
        source = CursorRows(connect, Query(sql, None, order_by), CSVFormat())
        return scene.export(sql, order_by=order_by, source=source, part_size=102_400, **settings).parts_reused

    with pytest.raises(UploadCancelled):
        export(watch=scene.stop_after(2))
    assert export() >= 2
    resumed = scene.content()
    export()
    assert scene.content() == resumed
    assert resumed.count(b"\n") == 20_001


def test_a_retry_resumes(scene: Scene, connect: Connect) -> None:
    def source() -> CursorRows:
        return CursorRows(connect, Query(SQL, order_by=("id",)), CSVFormat())

    settings: dict[str, Any] = {"part_size": 102_400, "verify_prefix": "hash"}
    with pytest.raises(UploadCancelled):
        scene.export(SQL, order_by=("id",), source=source(), watch=scene.stop_after(3), **settings)
    result = scene.export(SQL, order_by=("id",), source=source(), **settings)
    assert result.parts_reused >= 3
    assert [int(line.partition(b",")[0]) for line in scene.content().splitlines()[1:]] == list(range(1, 20_001))


def test_parquet_has_the_types_of_the_database(scene: Scene, connect: Connect) -> None:
    sql = "SELECT *, CAST(id AS UNSIGNED) AS u, TRUE AS flag FROM orders"
    source = CursorRows(connect, Query(sql, order_by=("id",)), Output("parquet").row_format)
    result = scene.export(sql, Output("parquet", "zstd"), ("id",), source=source)
    rows = parquet.read_table(io.BytesIO(scene.content()))
    assert [str(one) for one in rows.schema.types] == [
        *("int64", "decimal128(20, 2)", "string", "timestamp[us]", "binary", "double", "date32[day]"),
        *("decimal128(20, 0)", "int64"),
    ]
    assert rows.slice(1, 1).to_pylist()[0] == {
        "id": 2,
        "d": Decimal("2.20"),
        "s": "x,y",
        "t": dt.datetime(2024, 6, 1, 10, 0, 0, 120000),
        "b": b"\x00\xff",
        "f": 0.5,
        "day": dt.date(2024, 6, 1),
        "u": Decimal(2),
        "flag": 1,
    }
    assert result.as_dict()["columns"][1] == {"name": "d", "type": "numeric(20,2)"}


def test_rows_are_estimated(connect: Connect) -> None:
    with closing(CursorRows(connect, Query(SQL), CSVFormat())) as source:
        rows = source.estimate_rows()
    assert rows is not None
    assert 10_000 < rows < 40_000


def test_a_stop_request_kills_the_query(connect: Connect) -> None:
    with closing(CursorRows(connect, Query("SELECT sleep(60)"), CSVFormat())) as source:
        source.describe()
        stopper = threading.Timer(0.5, source.cancel)
        stopper.start()
        with pytest.raises(SourceError, match="interrupted"):
            source.stream(lambda _row: None)
        stopper.join()


def test_a_statement_timeout(connect: Connect) -> None:
    query = Query("SELECT sleep(60), id FROM orders", statement_timeout=0.5)
    with (
        closing(CursorRows(connect, query, CSVFormat())) as source,
        pytest.raises(SourceError, match="max_statement_time"),
    ):
        source.stream(lambda _row: None)


@pytest.mark.parametrize(
    ("sql", "order_by", "message"),
    [("SELECT * FROM nowhere", (), "nowhere"), (SQL, ("s",), "NULL"), (f"{SQL} WHERE s = 'x,y'", ("s",), "integers")],
)
def test_bad_input(scene: Scene, connect: Connect, sql: str, order_by: tuple[str, ...], message: str) -> None:
    source = CursorRows(connect, Query(sql, order_by=order_by), CSVFormat())
    with pytest.raises(ConfigurationError, match=message):
        scene.export(sql, Output(), order_by, source=source)
    assert scene.server.requests() == []
