"""The result of a query as objects: read rows, cut them into parts, compress and send the parts, resume."""

from airflow_provider_oss_resume.export.cutter import Limits
from airflow_provider_oss_resume.export.export_progress import ExportProgress
from airflow_provider_oss_resume.export.export_request import ExportRequest, ExportResult
from airflow_provider_oss_resume.export.exporter import Exporter
from airflow_provider_oss_resume.export.formats.output import Output
from airflow_provider_oss_resume.export.formats.parquet_parts import ParquetOptions
from airflow_provider_oss_resume.export.formats.row_format import CSVFormat, JSONLinesFormat
from airflow_provider_oss_resume.export.memory import keep_memory_flat
from airflow_provider_oss_resume.export.rows.cursor_rows import CursorRows
from airflow_provider_oss_resume.export.rows.postgres_copy import PostgresCopy
from airflow_provider_oss_resume.export.rows.query import Query

__all__ = [
    "CSVFormat",
    "CursorRows",
    "ExportProgress",
    "ExportRequest",
    "ExportResult",
    "Exporter",
    "JSONLinesFormat",
    "Limits",
    "Output",
    "ParquetOptions",
    "PostgresCopy",
    "Query",
    "keep_memory_flat",
]
