"""What an export read and wrote, for OpenLineage and for the events of its outlets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.lineage.datasets import Dataset, Flow, Written, object_dataset, written_object

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_oss_resume.export import ExportResult

log = logging.getLogger(__name__)

_WHOLE = (
    *("bucket", "key", "rows", "size", "bytes_raw", "parts", "crc64", "etag", "parts_reused", "rows_reused", "columns"),
    "manifest_key",
)


def export_flow(bucket: str, key: str, result: ExportResult | None = None) -> Flow:
    """Return the objects that an export writes; its tables are found by :func:`export_lineage`.

    :param key: may hold ``{part}``.
    :param result: ``None`` before the end.
    """
    if result is None:
        return Flow(outputs=(object_dataset(bucket, key),))
    columns = tuple((one.name, one.type) for one in result.columns)
    return Flow(
        outputs=tuple(
            Dataset(f"oss://{bucket}", one.key, one.size, rows=one.rows, columns=columns) for one in result.objects
        )
    )


def written_export(result: ExportResult) -> tuple[list[Written], dict[str, Any]]:
    """Return the objects of an export, and the facts of all of it."""
    values = result.as_dict()
    whole = {name: values[name] for name in _WHOLE if values[name] is not None}
    return [written_object({"bucket": result.bucket, **one}) for one in values["objects"]], whole


def export_lineage(objects: OperatorLineage[Any, Any], hook: Any, sql: str, conn_id: str) -> OperatorLineage[Any, Any]:
    """Return the lineage of an export: its tables, and its objects with the columns that each of theirs was made of.

    A query that the parser does not understand leaves the objects as they are.
    """
    from airflow_provider_oss_resume.lineage.sql import column_lineage, query_lineage

    try:
        tables = query_lineage(hook, sql, conn_id)
        if tables.inputs:
            facets = column_lineage(hook, sql, conn_id, tables.inputs[0].namespace)
            for one in objects.outputs:
                one.facets = {**(one.facets or {}), **facets}
    except Exception as error:  # noqa: BLE001 - whatever the parser or the database raises
        log.warning("the tables of the query are not in the lineage: %s: %s", type(error).__name__, error)
        return objects
    tables.outputs = []
    return objects.merge(tables)
