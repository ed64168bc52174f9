"""Make JSON Lines of columns, by pyarrow.

``row_to_json`` takes the server more than twice as long as COPY itself. So the server sends values without names, as
for Parquet, and whole columns become the bytes that ``row_to_json`` writes, without the interpreter lock. Types that
are neither numbers nor text are sent as JSON by the server.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.export.cutter import RawPart
from airflow_provider_oss_resume.export.formats.arrow_rows import read_batches
from airflow_provider_oss_resume.export.formats.packer import Packed, Packer
from airflow_provider_oss_resume.export.formats.row_format import JSONLinesFormat
from airflow_provider_oss_resume.export.rows.row_source import Column

if TYPE_CHECKING:
    import pyarrow as pa

_Values = tuple[str, Any, str]  # Any, because pyarrow may not be installed

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_FLOATS = frozenset({"real", "double precision"})
_QUOTED = frozenset({"numeric", "money", "uuid", "date", "time without time zone", "inet", "oid"})
_TIMES = frozenset({"timestamp without time zone", "timestamp with time zone"})
_TEXTS = frozenset({"text", "character varying", "bpchar", "name", '"char"', "bytea"})
SENT_AS_TEXT = _INTEGERS | _FLOATS | _QUOTED | _TIMES | _TEXTS | {"boolean"}
"""Types that the server sends as text; others it sends as JSON."""

_SPECIAL = '["\\\\\x00-\x1f]'
_CONTROL = "[\x00-\x1f]"
_FREQUENT = {text: json.dumps(text)[1:-1] for text in '\\"\n\r\t'}  # the backslash first
# From 1: PostgreSQL has no text with a zero byte.
_RARE = {text: json.dumps(text)[1:-1] for text in map(chr, range(1, 32)) if text not in _FREQUENT}


class JSONColumns:
    """Make the lines of each part of its columns, and pack them.

    :param lines: what the lines are.
    :param inner: what is done to the lines.
    """

    needs_all = False

    def __init__(self, columns: Sequence[Column], lines: JSONLinesFormat, inner: Packer) -> None:
        import pyarrow.compute  # noqa: F401 - here, as an import in a thread holds up the one that reads rows

        self._columns = columns
        self._format = lines
        self._inner = inner
        self.name = json.dumps([lines.name, inner.name])

    def pack(self, part: RawPart) -> Packed:
        if part.rows:
            part = replace(part, data=_lines(part, self._columns, self._format))
        return self._inner.pack(part)

    def end(self, last: Packed, before: Sequence[tuple[int, bytes]]) -> bytes | bytearray | memoryview:
        return self._inner.end(last, before)


def _lines(part: RawPart, columns: Sequence[Column], wanted: JSONLinesFormat) -> bytearray:
    import pyarrow as pa

    text, lines = pa.large_string(), bytearray()  # a string is limited to 2 GiB
    make = _lines_without_nulls if wanted.nulls == "omit" else _lines_with_nulls
    kinds = [_written_as(column, wanted) for column in columns]
    for batch in read_batches(part, {column.name: text for column in columns}):
        values = [_json_values(kind, batch.column(index)) for index, kind in enumerate(kinds)]
        lines += _bytes_of(make(values, columns))
    return lines


def _lines_with_nulls(values: Sequence[_Values], columns: Sequence[Column]) -> pa.Array:
    import pyarrow.compute as pc

    pieces: list[object] = []
    literal = "{"
    for index, (column, (before, texts, after)) in enumerate(zip(columns, values, strict=True)):
        pieces += [_text(f"{literal}{',' if index else ''}{_name(column)}:{before}"), texts]
        literal = after
    pieces += [_text(literal + "}\n"), _text("")]
    return pc.binary_join_element_wise(*pieces, null_handling="replace", null_replacement="null")


def _lines_without_nulls(values: Sequence[_Values], columns: Sequence[Column]) -> pa.Array:
    import pyarrow.compute as pc

    pairs = [
        pc.binary_join_element_wise(_text(f",{_name(column)}:{before}"), texts, _text(after), _text(""))
        for column, (before, texts, after) in zip(columns, values, strict=True)
    ]
    # Not null_handling="skip": pyarrow 26 then leaves out a row whose values are all null.
    pieces = [_text("{"), *pairs, _text("}\n"), _text("")]
    lines = pc.binary_join_element_wise(*pieces, null_handling="replace", null_replacement="")
    return pc.replace_substring(lines, "{,", "{", max_replacements=1)


def _name(column: Column) -> str:
    return json.dumps(column.name, ensure_ascii=False)


def _bytes_of(lines: pa.Array) -> memoryview:
    import pyarrow.compute as pc

    # Buffer 2 has the bytes of all strings, one after another, and may have unused ones at its end.
    size = pc.sum(pc.binary_length(lines)).as_py()
    return memoryview(lines.buffers()[2])[:size]


def _written_as(column: Column, wanted: JSONLinesFormat) -> str:
    """Return a type whose values are written as those of a column are wanted."""
    kind = column.type.partition("(")[0]
    if kind == "numeric" and wanted.decimals == "number":
        return "double precision"
    return "numeric" if kind == "bigint" and wanted.bigints == "string" else kind


def _json_values(kind: str, values: pa.Array) -> _Values:
    """Return what stands before each value, the values, and what stands after each."""
    import pyarrow.compute as pc

    if kind == "boolean":
        return "", pc.if_else(pc.equal(values, _text("t")), _text("true"), _text("false")), ""
    if kind in _FLOATS:
        return "", _finite_or_quoted(values), ""
    if kind in _TIMES:
        values = pc.replace_substring(values, " ", "T", max_replacements=1)
        if kind == "timestamp with time zone":
            values = pc.replace_substring(values, "+00", "+00:00", max_replacements=1)  # the session's zone is UTC
        return _quoted(values)
    if kind in _TEXTS:
        return _quoted(_escaped(values))
    if kind in _QUOTED:
        return _quoted(values)
    return "", values if kind in _INTEGERS else _on_one_line(values), ""


def _text(value: str) -> pa.Scalar:
    """Return a text as a scalar. ``pyarrow.scalar`` would import pandas: 50 MB and 0.2 s."""
    import pyarrow as pa

    data = value.encode()
    offsets = struct.pack("=2q", 0, len(data))
    return pa.Array.from_buffers(pa.large_string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])[0]


def _quoted(values: pa.Array) -> _Values:
    import pyarrow.compute as pc

    if values.null_count == 0:
        return '"', values, '"'
    return "", pc.binary_join_element_wise(_text('"'), values, _text('"'), _text("")), ""


def _finite_or_quoted(values: pa.Array) -> pa.Array:
    """Return numbers, with quotes around NaN and the infinities, which JSON does not have."""
    import pyarrow.compute as pc

    # NaN ends in N, the infinities end in y, and numbers end in a digit.
    odd = pc.match_substring_regex(values, "[Ny]$")
    if not pc.any(odd).as_py():
        return values
    return pc.if_else(odd, pc.binary_join_element_wise(_text('"'), values, _text('"'), _text("")), values)


def _escaped(values: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    def any_has(pattern: str) -> bool:
        return bool(pc.any(pc.match_substring_regex(values, pattern)).as_py())

    if any_has(_SPECIAL):
        for text, escape in _FREQUENT.items():
            values = pc.replace_substring(values, text, escape)
        if any_has(_CONTROL):
            for text, escape in _RARE.items():
                values = pc.replace_substring(values, text, escape)
    return values


def _on_one_line(values: pa.Array) -> pa.Array:
    """Return JSON without line ends: they are space between its tokens, as strings hold escapes."""
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring_regex(values, "[\r\n]")).as_py():
        return values
    return pc.replace_substring_regex(values, "[\r\n]", " ")
