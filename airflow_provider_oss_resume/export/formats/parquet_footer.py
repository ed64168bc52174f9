"""Join Parquet files of one schema, whose row groups lie one after another, into one file; pure.

pyarrow cannot: ``append_row_groups`` leaves the offsets as they are, and its writer cannot start above 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_oss_resume.export.formats.thrift_compact import (
    LIST,
    STRUCT,
    Reader,
    Sequence,
    Struct,
    Value,
    write_struct,
)

MAGIC = b"PAR1"

# Field ids of parquet.thrift.
_NUM_ROWS, _ROW_GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _META, _OFFSET_INDEX, _COLUMN_INDEX = 2, 3, 4, 6
_MAX_ORDINAL = (1 << 15) - 1
_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER = 9, 10, 11, 14


@dataclass(frozen=True, slots=True)
class RowGroups:
    """Hold the row groups of one small file: their bytes, and the footer that describes them.

    :param data: without the magic number in front and without the footer.
    :param described: rows and row groups, as the footer has them; the schema is the same in all small files.
    :param footer: all of it.
    """

    data: bytes
    described: bytes
    footer: bytes


def split_file(file: bytes) -> RowGroups:
    """Take a Parquet file apart."""
    (length,) = struct.unpack("<I", file[-8:-4])
    footer = Reader(file[-8 - length : -8]).struct()
    described = {number: footer[number] for number in (_NUM_ROWS, _ROW_GROUPS)}
    return RowGroups(file[len(MAGIC) : -8 - length], write_struct(described), file[-8 - length : -8])


def join_footers(empty: bytes, described: Iterable[tuple[bytes, int]]) -> bytes:
    """Return the end of a file that holds the row groups of small files: its footer, length and magic number.

    :param empty: footer of a file with the same schema and no row group.
    :param described: :attr:`RowGroups.described` of each small file, and where its row groups lie in the whole file.
    """
    whole = Reader(empty).struct()
    groups: list[Struct] = []
    rows = 0
    for footer, start in described:
        part = Reader(footer).struct()
        rows += part[_NUM_ROWS].content
        for group in part[_ROW_GROUPS].content.items:
            _shift_group(group, start - len(MAGIC), len(groups))
            groups.append(group)
    whole[_NUM_ROWS].content = rows
    whole[_ROW_GROUPS] = Value(LIST, Sequence(STRUCT, groups))
    encoded = write_struct(whole)
    return encoded + struct.pack("<I", len(encoded)) + MAGIC


def _shift_group(group: Struct, by: int, ordinal: int) -> None:
    _shift(group, _GROUP_OFFSET, by)
    if _ORDINAL in group:
        group[_ORDINAL].content = ordinal
        if ordinal > _MAX_ORDINAL:
            del group[_ORDINAL]  # optional, and readers take it for an integer of 16 bits
    for chunk in group[_COLUMNS].content.items:
        if chunk[_CHUNK_OFFSET].content:  # 0 in files of newer writers
            _shift(chunk, _CHUNK_OFFSET, by)
        for field in (_OFFSET_INDEX, _COLUMN_INDEX):
            _shift(chunk, field, by)
        for field in (_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER):
            _shift(chunk[_META].content, field, by)


def _shift(fields: Struct, number: int, by: int) -> None:
    if number in fields:
        fields[number].content += by
