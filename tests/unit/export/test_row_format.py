from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError
from airflow_provider_oss_resume.export.formats.row_format import CSVFormat, JSONLinesFormat, json_text
from airflow_provider_oss_resume.export.rows.value_text import json_texts_of, json_value, text_of

COLUMNS = ["a", "b"]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(texts, texts)
def test_keys_come_back_from_csv(first: str, second: str) -> None:
    (row,) = CSVFormat().encode_columns([[first], [second]])
    assert CSVFormat().key_of(COLUMNS, ["b", "a"], row) == (second, first)


@given(texts, texts)
def test_keys_come_back_from_json(first: str, second: str) -> None:
    (row,) = JSONLinesFormat().encode_columns(COLUMNS, [[json_text(first)], [json_text(second)]])
    assert row.count(b"\n") == 1
    assert JSONLinesFormat().key_of(COLUMNS, ["b", "a"], row) == (second, first)


def test_numbers_of_json_keep_their_text_in_a_key() -> None:
    assert JSONLinesFormat().key_of(COLUMNS, COLUMNS, b'{"a":1e22,"b":12345678901234567890}\n') == (
        "1e22",
        "12345678901234567890",
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "t"),
        (Decimal("1E+2"), "100"),
        (Decimal("1.10"), "1.10"),
        (1e22, "1e+22"),
        (1e15, "1e+15"),
        (-1.5e15, "-1.5e+15"),
        (1234567890123456.0, "1.234567890123456e+15"),
        (999999999999999.0, "999999999999999"),
        (123456789012345.6, "123456789012345.6"),
        (1e-5, "1e-05"),
        (1.0, "1"),
        (-0.0, "-0"),
        (dt.datetime(2024, 6, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2024-06-01 10:00:00+00"),
        (dt.datetime(2024, 6, 1, 12, 0, 0, 120_000), "2024-06-01 12:00:00.12"),
        (dt.timedelta(0), "00:00:00"),
        (dt.timedelta(days=34, hours=22, minutes=59, seconds=59), "838:59:59"),
        (-dt.timedelta(hours=1, minutes=2, seconds=3.5), "-01:02:03.5"),
        (dt.timedelta(microseconds=-1), "-00:00:00.000001"),
        (memoryview(b"\x00\xff"), "\\x00ff"),
        ({"a": Decimal("1.5")}, '{"a": "1.5"}'),
    ],
)
def test_texts_of_values(value: object, text: str | None) -> None:
    assert text_of(value) == text


def test_values_of_json() -> None:
    values = {"d": Decimal("1.10"), "f": float("nan"), "t": dt.datetime(2024, 6, 1, tzinfo=dt.timezone.utc), "n": None}
    assert json.dumps({name: json_value(value) for name, value in values.items()}) == (
        '{"d": "1.10", "f": "NaN", "t": "2024-06-01T00:00:00+00:00", "n": null}'
    )


@pytest.mark.parametrize(
    ("lines", "kind", "values", "expected"),
    [
        (JSONLinesFormat(), "", [5, True, None, "é\n", 1.5], ["5", "true", None, '"é\\n"', "1.5"]),
        (JSONLinesFormat(bigints="string"), "", [2**53 + 1, True], ['"9007199254740993"', "true"]),
        (JSONLinesFormat(bigints="string"), "numeric(20,0)", [2**64 - 1], ['"18446744073709551615"']),
        (JSONLinesFormat(bigints="string"), "integer", [5], ["5"]),
        (JSONLinesFormat(), "numeric", [Decimal("1.10"), Decimal("NaN")], ['"1.10"', '"NaN"']),
        (JSONLinesFormat(decimals="number"), "numeric", [Decimal("1.10"), Decimal("NaN")], ["1.10", '"NaN"']),
        (JSONLinesFormat(decimals="number"), "numeric", [Decimal("1E+3")], ["1000"]),
        (JSONLinesFormat(), "", [[Decimal("1.10"), {"a": dt.date(2024, 6, 1)}]], ['["1.10",{"a":"2024-06-01"}]']),
    ],
)
def test_json_of_values(lines: JSONLinesFormat, kind: str, values: list[object], expected: list[str | None]) -> None:
    assert json_texts_of(values, kind, lines) == expected


def test_nulls_are_omitted() -> None:
    columns = [["1", None, None], [None, None, '""']]
    assert list(JSONLinesFormat().encode_columns(COLUMNS, columns)) == [
        *(b'{"a":1,"b":null}\n', b'{"a":null,"b":null}\n', b'{"a":null,"b":""}\n')
    ]
    assert list(JSONLinesFormat(nulls="omit").encode_columns(COLUMNS, columns)) == [
        *(b'{"a":1}\n', b"{}\n", b'{"b":""}\n')
    ]


@pytest.mark.parametrize("name", ["nulls", "decimals", "bigints"])
def test_unknown_options_of_json_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"json_{name} is 'no': use one of"):
        JSONLinesFormat(**{name: "no"})


def test_a_type_without_a_text_says_what_to_do() -> None:
    with pytest.raises(SourceError, match="cast it to text"):
        text_of(object())


@pytest.mark.parametrize(
    "options", [{"delimiter": ""}, {"delimiter": "é"}, {"quote": ","}, {"null_value": "a,b"}, {"quote": "\n"}]
)
def test_bad_options(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        CSVFormat(**options)  # type: ignore[arg-type]
