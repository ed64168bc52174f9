"""Export the result of a query to OSS so that a retry resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments.values import require_callable, text, truth, truth_or
from airflow_provider_oss_resume.operators.links import link_to_object, push_object_link
from airflow_provider_oss_resume.operators.tries.metrics import Gauges, publish
from airflow_provider_oss_resume.operators.tries.reruns import DEFAULT_MAX_RERUNS, RerunningOperator, require_max_reruns
from airflow_provider_oss_resume.operators.tries.task import Supervised
from airflow_provider_oss_resume.transfers.sql_arguments import (
    ExportObserver,
    make_output,
    make_query,
    make_request,
    open_source,
)
from airflow_provider_oss_resume.transfers.sql_lineage import export_flow, export_lineage, written_export
from airflow_provider_oss_resume.transfers.synonyms import take_synonyms

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_oss_resume.export import ExportProgress


class SqlToOSSOperator(RerunningOperator):
    """Export the result of a query to OSS as CSV, JSON Lines or Parquet; a retry resumes.

    Rows are streamed, so the result does not have to fit into memory. PostgreSQL, Hologres and AnalyticDB for
    PostgreSQL are read by ``COPY``; other databases by a cursor.

    With ``order_by``, a retry queries only the rows after the last one that is in the bucket. A resumed export is
    then the result of several queries, one a try. If rows before the last exported key are inserted, changed or
    deleted between two tries, the retry does not see it: export a closed partition, or set ``verify_prefix``. Without
    ``order_by``, a retry runs the query again; parts that the bucket holds already with the same rows are neither
    compressed nor sent again.

    The task succeeds once size and CRC-64 of each object, as OSS reports them, equal those of the bytes sent. It
    returns a dict to XCom: bucket, key, etag, crc64, rows, size, bytes_raw, parts, parts_reused, rows_reused,
    bytes_sent, resumed, duration_s, columns, objects, manifest_key.

    The operator takes the arguments of SqlToS3Operator and SQLToGCSOperator under their names too: ``query``,
    ``s3_bucket``, ``s3_key``, ``max_rows_per_file``, ``bucket``, ``filename``, ``export_format``, ``field_delimiter``,
    ``null_marker``, ``gzip``, ``write_on_empty``, ``approx_max_file_size_bytes`` and ``parquet_row_group_size``.

    :param sql: one query, or the name of a ``.sql`` template file. (templated)
    :param key: the object's key, or ``oss://bucket/key``. It contains ``{part}`` if the result is split. (templated)
    :param sql_conn_id: connection of any hook that provides a DB-API connection. (templated)
    :param parameters: for the placeholders of the driver. (templated)
    :param sql_hook_params: arguments for the hook of ``sql_conn_id``.
    :param bucket_name: default: the bucket in ``key``, else the connection's schema field. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    :param file_format: ``csv``, ``jsonl`` or ``parquet``. (templated)
    :param compression: ``None``, ``gzip`` or ``zstd``; of the pages inside a Parquet file. (templated)
    :param compression_level: default: 6 for gzip, 3 for zstd.
    :param order_by: columns of the result whose values together are unique in each row, best with an index. (templated)
    :param verify_prefix: check on a resume that the rows that are not read again have not changed: ``count`` counts
        them, ``hash`` reads them again. If they changed, the export starts from the first row. (templated)
    :param split_size: start a new object before this many bytes, before compression, such as ``"1GiB"``. (templated)
    :param split_rows: start a new object after this many rows. (templated)
    :param if_empty: for a result without rows: ``write`` an object without rows (the default), ``skip`` it, or
        ``fail``. (templated)
    :param header: CSV: write the column names first. (templated)
    :param delimiter: CSV: the character between values.
    :param quote: CSV: the character around values that need it.
    :param null_value: CSV: the text for NULL.
    :param json_nulls: JSON Lines: ``write`` a NULL as null, or ``omit`` its name. (templated)
    :param json_decimals: JSON Lines: write ``numeric`` as a ``string``, so that no reader loses digits, or as a
        ``number`` with all its digits. (templated)
    :param json_bigints: JSON Lines: write integers of 64 bits as a ``number``, or as a ``string``, because many
        readers lose digits beyond 2^53. (templated)
    :param schema: Parquet: types of columns by name, as pyarrow writes them, such as ``{"id": "int64"}``. Others
        have the type that the database reports, or are strings.
    :param statistics: Parquet: which columns have a minimum and a maximum in each row group: those of ``order_by``
        (``"key"``), ``"all"`` or ``"none"``. They are values of rows, and the checkpoint contains them.
    :param row_group_size: Parquet: rows of a row group; default: a row group is a part. (templated)
    :param statement_timeout: how long the query may run, as a timedelta or in seconds.
    :param fast_path: ``False`` reads PostgreSQL by a cursor too. (templated)
    :param durable: keep a checkpoint across tries. It holds the last exported key; encrypt checkpoints if that is
        confidential. Without one a failed export is aborted. (templated)
    :param checkpoint_store: as that of :class:`~airflow_provider_oss_resume.operators.upload.ResumableUploadOperator`.
    :param part_size: bytes of the first parts before compression; default 8 MiB, 16 for Parquet, 4 for JSON Lines that
        pyarrow makes. (templated)
    :param max_concurrency: largest number of parts sent at the same time; default 4. (templated)
    :param replace: ``False`` fails if the object exists. (templated)
    :param content_type: default: from the key's ending. (templated)
    :param metadata: user metadata, names without ``x-oss-meta-``. (templated)
    :param headers: further headers, each sent where OSS accepts it. (templated)
    :param acl: as that of the upload operator; so are ``storage_class``, ``tags``, ``server_side_encryption``,
        ``kms_key_id``, ``server_side_data_encryption``, ``callback``, ``callback_vars`` and ``traffic_limit``.
        (templated)
    :param bandwidth_limit: as that of the upload operator; so is ``callback_required``. (templated)
    :param request_payer: pay for the requests to a requester-pays bucket.
    :param retry_from_progress: if a try sent at least one part and then failed, run it again without using up one of
        ``retries``; a try whose query failed uses one up.
    :param max_reruns: upper bound of the reruns of ``retry_from_progress`` for each try, at least 1.
    :param delete_upload_on_kill: abort the export in progress when the task is killed.
    :param stop_before_timeout: stop this long before ``execution_timeout``, so that parts in flight are not lost.
    :param progress_callback: called about once a second with an
        :class:`~airflow_provider_oss_resume.export.ExportProgress`.
    """

    template_fields: Sequence[str] = (
        *("sql", "key", "sql_conn_id", "parameters", "file_format", "compression", "order_by", "verify_prefix"),
        *("split_size", "split_rows", "if_empty", "header", "fast_path", "bandwidth_limit", "callback_required"),
        *("json_nulls", "json_decimals", "json_bigints", "row_group_size"),
        *RerunningOperator.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - as Airflow declares it

    def __init__(  # noqa: PLR0915 - Airflow wants an attribute for each argument
        self,
        *,
        sql: str | None = None,
        key: str | None = None,
        sql_conn_id: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        sql_hook_params: Mapping[str, Any] | None = None,
        file_format: str | None = None,
        compression: str | None = None,
        compression_level: int | None = None,
        order_by: str | Sequence[str] | None = None,
        verify_prefix: str | None = None,
        split_size: int | str | None = None,
        split_rows: int | str | None = None,
        if_empty: str | None = None,
        header: bool | str = True,
        delimiter: str | None = None,
        quote: str = '"',
        null_value: str | None = None,
        json_nulls: str = "write",
        json_decimals: str = "string",
        json_bigints: str = "number",
        schema: Mapping[str, str] | None = None,
        statistics: str = "key",
        row_group_size: int | str | None = None,
        statement_timeout: timedelta | float | None = None,
        fast_path: bool | str = True,
        bandwidth_limit: int | str | None = None,
        callback_required: bool | str = True,
        request_payer: bool = False,
        retry_from_progress: bool = False,
        max_reruns: int = DEFAULT_MAX_RERUNS,
        progress_callback: Callable[[ExportProgress], None] | None = None,
        **kwargs: Any,
    ) -> None:
        # Before BaseOperator sees them: it refuses arguments that it does not know.
        theirs = take_synonyms(kwargs)
        super().__init__(**kwargs)
        require_callable("progress_callback", progress_callback)
        self.sql = theirs.or_ours("sql", sql)
        self.key = theirs.or_ours("key", key)
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.sql_hook_params = sql_hook_params
        self.file_format = theirs.or_ours("file_format", file_format)
        self.compression = theirs.or_ours("compression", compression)
        self.compression_level = compression_level
        self.order_by = order_by
        self.verify_prefix = verify_prefix
        self.split_size = theirs.or_ours("split_size", split_size)
        self.split_rows = theirs.or_ours("split_rows", split_rows)
        self.if_empty = theirs.or_ours("if_empty", if_empty)
        self.header = header
        self.delimiter = theirs.or_ours("delimiter", delimiter)
        self.quote = quote
        self.null_value = theirs.or_ours("null_value", null_value)
        self.json_nulls = json_nulls
        self.json_decimals = json_decimals
        self.json_bigints = json_bigints
        self.schema = schema
        self.statistics = statistics
        self.row_group_size = theirs.or_ours("row_group_size", row_group_size)
        self.statement_timeout = statement_timeout
        self.fast_path = fast_path
        self.bandwidth_limit = bandwidth_limit
        self.callback_required = callback_required
        self.request_payer = request_payer
        self.retry_from_progress = truth("retry_from_progress", retry_from_progress)
        self.max_reruns = require_max_reruns(max_reruns)
        self.progress_callback = progress_callback
        if theirs.bucket is not None:
            self.bucket_name = theirs.bucket

    def transfer(self, supervised: Supervised) -> dict[str, Any]:
        """Export, and return what was done."""
        from airflow_provider_oss_resume.export import Exporter, keep_memory_flat
        from airflow_provider_oss_resume.stores.listing import other_checkpoints

        context, hook = supervised.context, self.oss_hook()
        store = self.store(context, hook)
        query, output = make_query(self), make_output(self)
        request = make_request(self, hook.bucket, output)
        keep_memory_flat(with_pyarrow=output.uses_pyarrow)
        source = open_source(self._sql_hook(), query, request, fast_path=truth("fast_path", self.fast_path))
        self._observer = observer = ExportObserver(self.progress_callback, Gauges(supervised.identity))
        self.plan_flow(export_flow(request.bucket, request.key))
        pays = truth_or("request_payer", self.request_payer, False) or request.options.names("x-oss-request-payer")
        with closing(source), hook.get_client(request_payer=pays) as client:
            push_object_link(context, link_to_object(client, request.bucket, request.key))
            others = other_checkpoints(hook.checkpoint_keys if store is not None else [])
            exporter = Exporter(
                client, store, owner=supervised.owner, progress=observer, watch=supervised.watch, others=others
            )
            try:
                result = exporter.export(source, request, supervised.cancel)
            finally:
                # For a try that fails too: its bytes were sent.
                publish(observer.counters(), supervised.identity)
        self.tell_written(context, export_flow(request.bucket, request.key, result), *written_export(result))
        return result.as_dict()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the tables of the query and the objects; only the OpenLineage provider calls this."""
        objects = super().get_openlineage_facets_on_complete(task_instance)
        return export_lineage(objects, self._sql_hook(), text("sql", self.sql) or "", self.sql_conn_id)

    def _sql_hook(self) -> Any:
        name = text("sql_conn_id", self.sql_conn_id) or ""
        hook = BaseHook.get_connection(name).get_hook(  # type: ignore[no-untyped-call]
            hook_params=dict(self.sql_hook_params or {})
        )
        if not hasattr(hook, "get_conn") or not hasattr(hook, "get_records"):
            raise ConfigurationError(f"connection {name!r} has the hook {type(hook).__name__}, which runs no SQL")
        return hook
