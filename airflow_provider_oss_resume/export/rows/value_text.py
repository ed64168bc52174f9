"""Values of a driver as the text that PostgreSQL writes for them; pure."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import cast

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.export.formats.row_format import JSONLinesFormat, is_bigint, json_text

_UTC = dt.timezone.utc


def text_of(value: object) -> str | None:
    """Return a value as text for CSV; ``None`` for NULL.

    :raises SourceError: the type has no text that a reader can rely on.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, (int, uuid.UUID)):
        return str(value)
    if isinstance(value, Decimal):
        return "NaN" if value.is_nan() else format(value, "f")
    return _other_text(value)


def texts_of(values: Sequence[object]) -> Sequence[str | None]:
    """Return the values of one column as text; see :func:`text_of`."""
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return cast("Sequence[str | None]", values)
    if kinds == {int}:
        return list(map(str, values))
    return [text_of(value) for value in values]


def json_value(value: object) -> object:
    """Return a value as :mod:`json` writes it: decimals as strings, dates as ISO 8601."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _float_text(value)
    if isinstance(value, (dict, list, tuple)):
        return value
    if isinstance(value, dt.datetime):
        return _aware(value).isoformat()
    return text_of(value)


def json_texts_of(values: Sequence[object], kind: str, lines: JSONLinesFormat) -> Sequence[str | None]:
    """Return the values of one column as JSON.

    :param kind: type of the column; empty where it is unknown.
    """
    quotes_integers = lines.bigints == "string" and (is_bigint(kind) or kind.startswith("numeric"))

    def text(value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, Decimal) and lines.decimals == "number" and value.is_finite():
            return format(value, "f")
        if quotes_integers and isinstance(value, int) and not isinstance(value, bool):
            return f'"{value}"'
        return json_text(json_value(value), json_value)

    return [text(value) for value in values]


def _other_text(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, dt.datetime):
        return _datetime_text(value)
    if isinstance(value, dt.timedelta):
        return _timedelta_text(value)
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=json_value)
    raise SourceError(
        f"a value has the type {type(value).__name__}, which has no text that all readers agree on: cast it to text in "
        "the query"
    )


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value)) if value or math.copysign(1, value) > 0 else "-0"
    if 1e15 <= abs(value) < 1e16:  # PostgreSQL has an exponent from 1e15 on, Python from 1e16 on
        sign, digits = "-" if value < 0 else "", str(abs(int(value)))
        return f"{sign}{digits[0]}.{digits[1:]}".rstrip("0").rstrip(".") + "e+15"
    return repr(value)


def _datetime_text(value: dt.datetime) -> str:
    aware = _aware(value)
    text = aware.replace(tzinfo=None).isoformat(sep=" ")
    if "." in text:
        text = text.rstrip("0")
    return text if value.tzinfo is None else f"{text}+00"


def _timedelta_text(value: dt.timedelta) -> str:
    """Return hours, minutes and seconds, as MySQL writes a TIME: it may be negative, and longer than a day."""
    sign = "-" if value < dt.timedelta(0) else ""
    seconds, fraction = divmod(abs(value) // dt.timedelta(microseconds=1), 1_000_000)
    text = f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _aware(value: dt.datetime) -> dt.datetime:
    """Return a time with a zone in UTC, and one without as it is."""
    return value if value.tzinfo is None else value.astimezone(_UTC)
