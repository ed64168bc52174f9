"""The tables and columns that a query reads, found by the OpenLineage provider's parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


def query_lineage(hook: Any, sql: str, conn_id: str) -> OperatorLineage[Any, Any]:
    """Return the tables of a query as inputs, with their columns where the database can be asked.

    :param hook: of the query's connection. The tables of a hook that says nothing to OpenLineage, such as that of
        SQLite, have the connection's type as namespace.
    """
    from airflow.providers.common.compat.openlineage.utils.sql import get_openlineage_facets_with_sql

    found = get_openlineage_facets_with_sql(hook=hook, sql=sql, conn_id=conn_id, database=None)
    return _parsed_lineage(hook, sql, conn_id) if found is None else found


def _parsed_lineage(hook: Any, sql: str, conn_id: str) -> OperatorLineage[Any, Any]:
    """Return what the text of a query says alone."""
    from airflow.providers.common.compat.openlineage.facet import Dataset, SQLJobFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    parser, info = _parser(hook, conn_id)
    parsed = parser.parse(sql=parser.split_sql_string(sql))
    namespace = parser.create_namespace(info)
    tables = parsed.in_tables if parsed is not None else ()
    names = [(table.database or info.database, table.schema, table.name) for table in tables]
    return OperatorLineage(
        inputs=[Dataset(namespace, ".".join(filter(None, name))) for name in names],
        job_facets={"sql": SQLJobFacet(query=parser.normalize_sql(sql))},
    )


def column_lineage(hook: Any, sql: str, conn_id: str, namespace: str) -> dict[str, Any]:
    """Return the facet that names, for each column of the result, the columns that it was made of.

    :param namespace: of the query's tables.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parser, info = _parser(hook, conn_id)
    parsed = parser.parse(sql=parser.split_sql_string(sql))
    stand_in = Dataset(namespace, "")
    if parsed is not None:
        parser.attach_column_lineage([stand_in], info.database, parsed)
    return dict(stand_in.facets or {})


def _parser(hook: Any, conn_id: str) -> tuple[Any, Any]:
    """Return the parser for the database of a hook, and what is known of that database."""
    from airflow.providers.openlineage.sqlparser import DatabaseInfo, SQLParser

    connection = hook.get_connection(conn_id)
    try:
        info = hook.get_openlineage_database_info(connection)
    except AttributeError:
        info = None
    if info is not None:
        dialect = hook.get_openlineage_database_dialect(connection)
        return SQLParser(dialect=dialect, default_schema=hook.get_openlineage_default_schema()), info
    place = f"{connection.host or ''}:{connection.port}" if connection.port else connection.host
    return SQLParser(), DatabaseInfo(connection.conn_type, authority=place, database=connection.schema or None)
