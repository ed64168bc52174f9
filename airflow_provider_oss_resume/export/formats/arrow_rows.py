"""Read the rows of a part into columns by pyarrow, which is faster than Python values from any driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.export.cutter import RawPart
from airflow_provider_oss_resume.export.formats.row_format import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

_BLOCK = 256 * 1024
_STRADDLES = "straddling object"
"""How pyarrow says that a row does not fit into a block."""


def read_columns(part: RawPart, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return the rows of a part as a table.

    :param part: of rows as :data:`.COLUMNS` encodes them.
    :param types: of the columns, by name, in order.
    :raises pyarrow.ArrowException: a value does not fit into its type.
    :raises SourceError: the table has another number of rows than the part.
    """
    from pyarrow import csv

    # One block for all: a row that does not fit into a block is an error of pyarrow.
    table = csv.read_csv(*_options(part, types, len(part.data) + 1))
    _require_all(part, table.num_rows)
    return table


def read_batches(part: RawPart, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a part as batches that fit into the processor's cache; see :func:`read_columns`."""
    import pyarrow as pa
    from pyarrow import csv

    rows = 0
    try:
        for batch in csv.open_csv(*_options(part, types, _BLOCK)):
            rows += batch.num_rows
            yield batch
    except pa.ArrowInvalid as error:
        if _STRADDLES not in str(error):
            raise
        table = read_columns(part, types).slice(rows)
        rows += table.num_rows
        yield from table.combine_chunks().to_batches()
    _require_all(part, rows)


def _options(
    part: RawPart, types: Mapping[str, pa.DataType], block_size: int
) -> tuple[pa.BufferReader, csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
    import pyarrow as pa
    from pyarrow import csv

    return (
        pa.BufferReader(pa.py_buffer(part.data)),
        # Without threads: several parts are read at the same time already.
        csv.ReadOptions(use_threads=False, block_size=block_size, column_names=list(types)),
        # An empty line is a row whose only column is NULL.
        csv.ParseOptions(
            delimiter=COLUMNS.delimiter, quote_char=COLUMNS.quote, newlines_in_values=True, ignore_empty_lines=False
        ),
        csv.ConvertOptions(
            column_types=dict(types),
            null_values=[COLUMNS.null_value],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _require_all(part: RawPart, rows: int) -> None:
    if rows != part.rows:
        raise SourceError(f"pyarrow read {rows:,} rows of a part that has {part.rows:,}: report this as a bug")
