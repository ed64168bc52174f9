from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.rows.statement import require_query


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("SELECT 1", "SELECT 1"),
        (" select 1 ; ", "select 1"),
        ("SELECT 1; -- done", "SELECT 1"),
        ("-- first\nSELECT 1", "-- first\nSELECT 1"),
        ("SELECT 1 -- ;", "SELECT 1 -- ;"),
        ("SELECT ';', \";\", $a$;$a$, E'\\';' FROM t;", "SELECT ';', \";\", $a$;$a$, E'\\';' FROM t"),
        ("(SELECT 1) UNION (SELECT 2)", "(SELECT 1) UNION (SELECT 2)"),
        ("/* a /* b */ ; */ VALUES (1)", "/* a /* b */ ; */ VALUES (1)"),
        ("WITH a AS (SELECT 1) TABLE a", "WITH a AS (SELECT 1) TABLE a"),
    ],
)
def test_a_query_is_returned_without_its_end(sql: str, query: str) -> None:
    assert require_query(sql) == query


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "empty"),
        ("-- nothing", "empty"),
        (";", "empty"),
        ("SELECT 1; SELECT 2", "second statement, 'SELECT 2'"),
        ("INSERT INTO t VALUES (1)", "starts with 'INSERT'"),
        ("COPY t TO STDOUT", "starts with 'COPY'"),
        ("SELECT 1 /* /* */", "comment without an end"),
    ],
)
def test_anything_else_is_refused(sql: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        require_query(sql)


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        (r"SELECT 'it\'s; x';", r"SELECT 'it\'s; x'"),
        (r'SELECT "say \";\"" -- ;', r'SELECT "say \";\"" -- ;'),
        (r"SELECT 'a\\'; -- done", r"SELECT 'a\\'"),
        ("# first; line\nSELECT 1 # last; line", "# first; line\nSELECT 1 # last; line"),
        ("SELECT 5--1", "SELECT 5--1"),
    ],
)
def test_backslashes_and_comments_of_mysql(sql: str, query: str) -> None:
    assert require_query(sql, is_mysql=True) == query


def test_a_backslash_is_itself_in_standard_sql() -> None:
    assert require_query(r"SELECT '\';") == r"SELECT '\'"
    with pytest.raises(ConfigurationError, match="second statement"):
        require_query(r"SELECT '\'; DROP TABLE t")
    with pytest.raises(ConfigurationError, match="second statement"):
        require_query("SELECT 5--1; DROP TABLE t", is_mysql=True)
