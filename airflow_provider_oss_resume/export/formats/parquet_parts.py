"""Turn rows into Parquet row groups, part by part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError
from airflow_provider_oss_resume.export.cutter import RawPart
from airflow_provider_oss_resume.export.formats.arrow_rows import read_columns
from airflow_provider_oss_resume.export.formats.packer import Packed, require_package
from airflow_provider_oss_resume.export.formats.parquet_footer import MAGIC, join_footers, split_file
from airflow_provider_oss_resume.export.formats.parquet_schema import schema_of
from airflow_provider_oss_resume.export.rows.row_source import Column
from airflow_provider_oss_resume.oss.limits import MIN_PART_SIZE

if TYPE_CHECKING:
    import pyarrow as pa

STATISTICS = ("key", "all", "none")


@dataclass(frozen=True, slots=True)
class ParquetOptions:
    """Hold the options of Parquet files.

    :param schema: types of columns by name, as pyarrow writes them; others come from the database.
    :param statistics: which columns have a minimum and a maximum in each row group: those of ``order_by``
        (``key``), ``all`` or ``none``. They are values of rows, and the checkpoint holds them.
    :param row_group_size: rows of a row group; ``None`` makes one of each part. A part has several row groups if
        several fit into it, and is larger than usual if one does not.
    """

    schema: Mapping[str, str] = field(default_factory=dict)
    statistics: str = "key"
    row_group_size: int | None = None

    def __post_init__(self) -> None:
        if self.row_group_size is not None and self.row_group_size < 1:
            raise ConfigurationError(f"row_group_size is {self.row_group_size}: write a number of rows, 1 or more")
        if self.statistics not in STATISTICS:
            raise ConfigurationError(f"statistics is {self.statistics!r}: use one of {', '.join(STATISTICS)}")


class ParquetParts:
    """Make one row group, or several, of each part; the last part ends with the footer of all.

    :param compression: of the pages, with its level.
    :param key: columns of ``order_by``.
    """

    needs_all = True

    def __init__(
        self,
        columns: Sequence[Column],
        options: ParquetOptions,
        compression: tuple[str | None, int | None],
        key: Sequence[str],
    ) -> None:
        require_package("pyarrow", "file_format='parquet'")
        self._schema = schema_of(columns, options.schema)
        codec, level = compression
        named = {"key": list(key), "all": True, "none": False}[options.statistics]
        self._settings: dict[str, Any] = {
            "compression": codec or "snappy",
            "compression_level": level,
            "write_statistics": named or False,
            "store_schema": False,
        }
        self._group = options.row_group_size
        self.name = json.dumps(["parquet", str(self._schema), self._settings, self._group])

    def pack(self, part: RawPart) -> Packed:
        if not part.rows:
            return Packed(MAGIC if part.start.number == 1 else b"")
        groups = split_file(self._file(self._table(part)))
        data = (MAGIC if part.start.number == 1 else b"") + groups.data
        if not part.is_last:
            data += bytes(max(0, MIN_PART_SIZE - len(data)))  # readers go by the offsets in the footer
        return Packed(data, groups.described)

    def end(self, last: Packed, before: Sequence[tuple[int, bytes]]) -> bytes | bytearray | memoryview:
        described, at = [], 0
        for length, footer in [*before, (len(last.data), last.footer)]:
            if footer:
                # The first part begins with the magic number, which is no part of its row groups.
                described.append((footer, max(at, len(MAGIC))))
            at += length
        empty = split_file(self._file(None)).footer
        return bytes(last.data) + join_footers(empty, described)

    def _table(self, part: RawPart) -> pa.Table:
        import pyarrow as pa

        binary = [one.name for one in self._schema if pa.types.is_binary(one.type)]
        as_text = {*binary, *(one.name for one in self._schema if pa.types.is_decimal256(one.type))}
        types = {one.name: pa.string() if one.name in as_text else one.type for one in self._schema}
        try:
            return _with_binary(read_columns(part, types), binary).cast(self._schema)
        except (pa.ArrowException, ValueError) as error:
            raise SourceError(
                f"a value does not fit into its Parquet type: {error}; cast the column to text in the query, or name "
                "another type in schema"
            ) from error

    def _file(self, table: pa.Table | None) -> bytes:
        import pyarrow as pa
        from pyarrow import parquet

        buffer = pa.BufferOutputStream()  # a Python file would ask for the interpreter lock at each page
        with parquet.ParquetWriter(buffer, self._schema, **self._settings) as writer:
            if table is not None:
                writer.write_table(table, self._group)
        content: bytes = buffer.getvalue().to_pybytes()
        return content


def _with_binary(table: pa.Table, names: Sequence[str]) -> pa.Table:
    r"""Return a table with columns of text such as ``\x00ff`` turned into bytes."""
    import pyarrow as pa

    for name in names:
        texts = table[name].to_pylist()
        values = pa.array([None if text is None else bytes.fromhex(text[2:]) for text in texts], pa.binary())
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table
