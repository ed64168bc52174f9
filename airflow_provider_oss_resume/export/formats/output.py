"""The file format and compression of an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.cutter import FIRST_PART_SIZE
from airflow_provider_oss_resume.export.formats.json_columns import JSONColumns
from airflow_provider_oss_resume.export.formats.packer import Packer, choose_compression, has_package
from airflow_provider_oss_resume.export.formats.parquet_parts import ParquetOptions, ParquetParts
from airflow_provider_oss_resume.export.formats.row_format import (
    COLUMNS,
    CSVFormat,
    JSONColumnsFormat,
    JSONLinesFormat,
    RowFormat,
)
from airflow_provider_oss_resume.export.rows.row_source import Column

FILE_FORMATS = ("csv", "jsonl", "parquet")
_SYNONYMS = {"json": "jsonl", "ndjson": "jsonl", "json_lines": "jsonl"}


@dataclass(frozen=True, slots=True)
class Output:
    """Describe the format of the objects.

    :param file_format: one of :data:`FILE_FORMATS`; ``json`` means JSON Lines.
    :param compression: ``None``, ``gzip`` or ``zstd``: of the file, or of the pages inside a Parquet file.
    :param compression_level: as the compression defines it.
    :param csv: used for CSV.
    :param parquet: used for Parquet.
    :param json: used for JSON Lines.
    :raises ConfigurationError: the format or the compression is unknown, or a package is missing.
    """

    file_format: str = "csv"
    compression: str | None = None
    compression_level: int | None = None
    csv: CSVFormat = field(default_factory=CSVFormat)
    parquet: ParquetOptions = field(default_factory=ParquetOptions)
    json: JSONLinesFormat = field(default_factory=JSONLinesFormat)

    def __post_init__(self) -> None:
        name = str(self.file_format).lower()
        object.__setattr__(self, "file_format", _SYNONYMS.get(name, name))
        if self.file_format not in FILE_FORMATS:
            raise ConfigurationError(f"file_format is {self.file_format!r}: use one of {', '.join(FILE_FORMATS)}")
        choose_compression(self.compression, self.compression_level)

    @property
    def row_format(self) -> RowFormat:
        """Return how rows are encoded."""
        if self.file_format == "parquet":
            return COLUMNS
        return self.json if self.file_format == "jsonl" else self.csv

    @property
    def uses_pyarrow(self) -> bool:
        """Return whether pyarrow is installed and makes the objects."""
        return self.file_format in ("parquet", "jsonl") and has_package("pyarrow")

    @property
    def copy_format(self) -> RowFormat:
        """Return how COPY encodes rows: for JSON Lines the values alone, where pyarrow can make the lines."""
        by_pyarrow = self.file_format == "jsonl" and self.uses_pyarrow
        return JSONColumnsFormat(lines=self.json) if by_pyarrow else self.row_format

    @property
    def part_size(self) -> int:
        """Return the usual size of the first parts before compression.

        Row groups of Parquet are larger, and the values of JSON Lines grow when they get their names.
        """
        if self.file_format == "parquet":
            return 2 * FIRST_PART_SIZE
        return FIRST_PART_SIZE // 2 if isinstance(self.copy_format, JSONColumnsFormat) else FIRST_PART_SIZE

    def packer(self, columns: Sequence[Column], key: Sequence[str], row_format: RowFormat) -> Packer:
        """Return what is done to each part.

        :param key: columns of ``order_by``.
        :param row_format: of the rows in the parts.
        :raises ConfigurationError: the format cannot hold these columns.
        """
        if not columns:
            raise ConfigurationError("the query returns no columns: name at least one")
        names = [column.name for column in columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice and self.file_format != "csv":
            raise ConfigurationError(
                f"the result has columns named twice, {twice}: give each a name of its own with AS, or use CSV"
            )
        if self.file_format == "parquet":
            return ParquetParts(columns, self.parquet, (self.compression, self.compression_level), key)
        packer = choose_compression(self.compression, self.compression_level)
        if isinstance(row_format, JSONColumnsFormat):
            return JSONColumns(columns, row_format.lines, packer)
        return packer
