from __future__ import annotations

import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from airflow_provider_oss_resume.export.formats.parquet_footer import split_file
from airflow_provider_oss_resume.export.formats.thrift_compact import (
    BINARY,
    BYTE,
    DOUBLE,
    FALSE,
    I32,
    I64,
    LIST,
    MAP,
    STRUCT,
    TRUE,
    Reader,
    Sequence,
    Struct,
    Value,
    write_struct,
)

values = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(lambda number: Value(I64, number)),
    st.binary(max_size=300).map(lambda data: Value(BINARY, data)),
    st.booleans().map(lambda truth: Value(TRUE if truth else FALSE, truth)),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20).map(lambda items: Value(LIST, Sequence(I32, items))),
)
structs = st.dictionaries(st.integers(1, 40), values, max_size=6).map(lambda found: dict(sorted(found.items())))


@given(structs, structs)
def test_what_is_written_is_read(outer: Struct, inner: Struct) -> None:
    fields = {**outer, 41: Value(STRUCT, inner), 60: Value(LIST, Sequence(STRUCT, [inner] * 16))}
    assert Reader(write_struct(fields)).struct() == fields


def test_a_footer_of_pyarrow_is_written_as_it_was_read() -> None:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"a": [1, 2, None], "b": ["x", "y", "é"]}), buffer, row_group_size=1)
    footer = split_file(buffer.getvalue()).footer
    assert write_struct(Reader(footer).struct()) == footer


@pytest.mark.parametrize("count", [0, 14, 15, 16, 300])
def test_lists_of_any_length(count: int) -> None:
    fields = {
        1: Value(LIST, Sequence(I32, list(range(count)))),
        2: Value(LIST, Sequence(TRUE, [1] * count)),
        3: Value(I64, 7),
    }
    assert Reader(write_struct(fields)).struct() == fields


def test_values_that_are_left_as_they_are() -> None:
    """A byte and a double have no length before them."""
    fields = {1: Value(BYTE, b"a"), 2: Value(DOUBLE, b"12345678"), 3: Value(BINARY, b""), 4: Value(I64, 7)}
    assert Reader(write_struct(fields)).struct() == fields


def test_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match=f"unexpected thrift type {MAP}"):
        Reader(bytes([0x10 | MAP, 0])).struct()
