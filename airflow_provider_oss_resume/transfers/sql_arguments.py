"""Read the rendered arguments of an export task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments.upload_arguments import object_options
from airflow_provider_oss_resume.operators.arguments.values import (
    number_or,
    size_in_bytes,
    size_or,
    text,
    texts,
    truth,
    whole_number,
)
from airflow_provider_oss_resume.operators.tries.metrics import Counters, Gauges, counters_so_far

if TYPE_CHECKING:
    from airflow_provider_oss_resume.export import ExportProgress, ExportRequest, Output, Query
    from airflow_provider_oss_resume.export.rows.row_source import RowSource
    from airflow_provider_oss_resume.transfers.sql_to_oss import SqlToOSSOperator

DEFAULT_CONCURRENCY = 4


class ExportObserver:
    """Keep the latest progress of an export, and pass it to the user's callback."""

    def __init__(self, callback: Callable[[ExportProgress], None] | None, gauges: Gauges | None = None) -> None:
        self._callback = callback
        self._gauges = gauges
        self._latest: ExportProgress | None = None

    def __call__(self, progress: ExportProgress) -> None:
        self._latest = progress
        if self._gauges is not None:
            self._gauges.send(
                rows_per_second=progress.rows_per_second, rows_done=progress.rows, parts_done=progress.parts_done
            )
        if self._callback is not None:
            self._callback(progress)

    def left(self) -> int | None:
        """Return the number of parts that are not in the bucket: unknown, because rows are read as they come."""
        return None

    def counters(self) -> Counters:
        """Return what was done so far."""
        return counters_so_far(self._latest)


def make_query(task: SqlToOSSOperator) -> Query:
    """Return the query of a task."""
    from airflow_provider_oss_resume.export import Query

    sql = text("sql", task.sql)
    if sql is None:
        raise ConfigurationError("sql is not given: write a query, or the name of a .sql file")
    return Query(
        sql, parameters_of(task.parameters), columns_of("order_by", task.order_by), timeout_of(task.statement_timeout)
    )


def make_output(task: SqlToOSSOperator) -> Output:
    """Return the format of a task's objects."""
    from airflow_provider_oss_resume.export import CSVFormat, JSONLinesFormat, Output, ParquetOptions

    return Output(
        file_format=text("file_format", task.file_format) or "csv",
        compression=text("compression", task.compression),
        compression_level=whole_number("compression_level", task.compression_level),
        csv=CSVFormat(
            with_header=truth("header", task.header),
            delimiter="," if task.delimiter is None else task.delimiter,
            quote=task.quote,
            null_value=task.null_value or "",
        ),
        parquet=ParquetOptions(
            schema=texts("schema", task.schema),
            statistics=text("statistics", task.statistics) or "key",
            row_group_size=whole_number("row_group_size", task.row_group_size),
        ),
        json=JSONLinesFormat(task.json_nulls, task.json_decimals, task.json_bigints),
    )


def make_request(task: SqlToOSSOperator, default_bucket: str | None, output: Output) -> ExportRequest:
    """Return the export request of a task.

    :param default_bucket: of the connection.
    """
    from airflow_provider_oss_resume.export import ExportRequest, Limits
    from airflow_provider_oss_resume.upload.destination_key import resolve_destination

    given, limit = text("key", task.key) or "", task.bandwidth_limit
    if not given or given.endswith("/"):
        raise ConfigurationError(
            f"key is {given!r}: it must be the whole key of the object, such as 'exports/orders.csv'"
        )
    bucket, key = resolve_destination(given, text("bucket_name", task.bucket_name), "", default_bucket)
    return ExportRequest(
        bucket=bucket,
        key=key,
        output=output,
        order_by=columns_of("order_by", task.order_by),
        limits=Limits(
            size_or("part_size", task.part_size, output.part_size),
            size_in_bytes("split_size", task.split_size),
            whole_number("split_rows", task.split_rows),
        ),
        if_empty=text("if_empty", task.if_empty) or "write",
        verify_prefix=text("verify_prefix", task.verify_prefix),
        max_concurrency=number_or("max_concurrency", task.max_concurrency, DEFAULT_CONCURRENCY),
        bandwidth_limit=text("bandwidth_limit", None if limit is None else str(limit)),
        callback_required=truth("callback_required", task.callback_required),
        options=object_options(task),
    )


def open_source(hook: Any, query: Query, request: ExportRequest, *, fast_path: bool) -> RowSource:
    """Return the source of the rows: COPY if the connection supports it, else a cursor.

    The connection is opened here, on Airflow's main thread: other threads must not ask Airflow for anything.
    """
    from airflow_provider_oss_resume.export import CursorRows, PostgresCopy

    connection = hook.get_conn()
    if fast_path and type(connection).__module__.partition(".")[0] in ("psycopg", "psycopg2"):
        return PostgresCopy(connection, query, request.copy_format)
    # The connection that was opened to see its driver is the first that is used: a second one for nothing would stay
    # open.
    opened = [connection]
    return CursorRows(lambda: opened.pop() if opened else hook.get_conn(), query, request.output.row_format)


def parameters_of(value: object) -> Mapping[str, Any] | Sequence[Any] | None:
    """Return the parameters of a query; ``None`` if there are none."""
    if not value:
        return None
    if isinstance(value, (Mapping, Sequence)) and not isinstance(value, (str, bytes)):
        return value
    raise ConfigurationError(f"parameters is {value!r}: it must be a dict of names, or a list")


def columns_of(name: str, value: object) -> tuple[str, ...]:
    """Return column names, given as a list or as a string with commas between them."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    if isinstance(value, Sequence) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ConfigurationError(f"{name} is {value!r}: it must be a list of column names")


def timeout_of(value: object) -> float | None:
    """Return a timeout, given as a timedelta or in seconds, in seconds."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is None:
        return None
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0:
        return float(seconds)
    raise ConfigurationError(f"statement_timeout is {value!r}: it must be a timedelta or seconds above 0")
