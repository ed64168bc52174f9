"""How a row becomes bytes: CSV as PostgreSQL writes it, and JSON Lines; pure.

The bytes equal those of ``COPY ... (FORMAT csv)`` and of ``row_to_json``, so that the
generic path and the fast path make the same object wherever the values' text is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, cast

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.export.rows.row_source import Key

Text = str | None
"""A value as the database's text; ``None`` is NULL."""


class RowFormat(Protocol):
    """Say how rows are encoded, and read the key of an encoded row.

    :ivar name: names the format and its options, for the checkpoint.
    """

    @property
    def name(self) -> str: ...

    def header(self, columns: Sequence[str]) -> bytes:
        """Return what stands before the first row of each object."""
        ...

    def key_of(self, columns: Sequence[str], order_by: Sequence[str], row: bytes) -> Key:
        """Return the key of an encoded row."""
        ...


@dataclass(frozen=True, slots=True)
class CSVFormat:
    """Write comma-separated values: NULL as nothing, an empty string as ``""``.

    :param with_header: write the column names first.
    :param delimiter: one ASCII character between values.
    :param quote: one ASCII character around values that need it; doubled inside of them.
    :param null_value: what stands for NULL.
    """

    with_header: bool = True
    delimiter: str = ","
    quote: str = '"'
    null_value: str = ""

    def __post_init__(self) -> None:
        for name in ("delimiter", "quote"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in "\r\n":
                raise ConfigurationError(f"{name} is {value!r}: it must be one ASCII character and no line end")
        if self.delimiter == self.quote:
            raise ConfigurationError(f"delimiter and quote are both {self.quote!r}: they must differ")
        if not isinstance(self.null_value, str):
            raise ConfigurationError(f"null_value is {self.null_value!r}: it must be text")
        if any(character in self.null_value for character in (self.delimiter, self.quote, "\r", "\n")):
            raise ConfigurationError(
                f"null_value is {self.null_value!r}: it must hold no delimiter, no quote and no line end"
            )

    @property
    def name(self) -> str:
        return json.dumps(["csv", self.with_header, self.delimiter, self.quote, self.null_value])

    def header(self, columns: Sequence[str]) -> bytes:
        if not self.with_header:
            return b""
        return self._line([self._quoted(name, alone=len(columns) == 1) for name in columns])

    def encode_columns(self, columns: Sequence[Sequence[Text]]) -> Iterator[bytes]:
        """Yield the rows of some columns of equal length.

        Whole columns are looked at together: most of them hold nothing that needs a quote.
        """
        alone = len(columns) == 1
        fields = [self._fields(column, alone=alone) for column in columns]
        return ((self.delimiter.join(row) + "\n").encode() for row in zip(*fields, strict=True))

    def _fields(self, column: Sequence[Text], *, alone: bool) -> Sequence[str]:
        null, has_null = self.null_value, None in column
        if alone or null in column or self._needs_quotes("\0".join(filter(None, column))):
            return [null if text is None else self._quoted(text, alone=alone) for text in column]
        return [null if text is None else text for text in column] if has_null else cast("Sequence[str]", column)

    def _needs_quotes(self, text: str) -> bool:
        return self.quote in text or self.delimiter in text or "\n" in text or "\r" in text

    def key_of(self, columns: Sequence[str], order_by: Sequence[str], row: bytes) -> Key:
        positions = [columns.index(name) for name in order_by]
        values = list(islice(self._values(row.decode("utf-8")), max(positions) + 1))
        return tuple(values[position] for position in positions)

    def _values(self, row: str) -> Iterator[str]:
        """Yield the values of a row, as text; :mod:`csv` refuses a value of more than 128 KiB."""
        quote, start = re.escape(self.quote), 0
        quoted = re.compile(f"{quote}([^{quote}]*(?:{quote * 2}[^{quote}]*)*){quote}")
        while True:
            found = quoted.match(row, start)
            end = found.end() if found else row.find(self.delimiter, start)
            end = len(row) - 1 if end < 0 else end  # the row ends with a line feed
            yield found[1].replace(self.quote * 2, self.quote) if found else row[start:end]
            start = end + 1

    def _line(self, values: Sequence[str]) -> bytes:
        return (self.delimiter.join(values) + "\n").encode()

    def _quoted(self, text: str, *, alone: bool) -> str:
        # A lone \. would end the data of a COPY FROM of PostgreSQL before 18.
        if text == self.null_value or (alone and text == "\\.") or self._needs_quotes(text):
            return self.quote + text.replace(self.quote, self.quote * 2) + self.quote
        return text


COLUMNS = CSVFormat(with_header=False, delimiter="\x02", quote="\x01")
"""How rows are read that pyarrow turns into columns: hardly any value needs a quote."""


NULLS = ("write", "omit")
DECIMALS = ("string", "number")
BIGINTS = ("number", "string")


@dataclass(frozen=True, slots=True)
class JSONLinesFormat:
    """Write one JSON object a line.

    :param nulls: ``write`` a NULL as null, or ``omit`` its name. A null inside a JSON value stays.
    :param decimals: ``numeric`` as a ``string``, so that no reader loses digits, or as a ``number`` with all of them.
    :param bigints: integers of 64 bits as a ``number``, or as a ``string`` for readers that lose digits beyond 2^53.
    """

    nulls: str = NULLS[0]
    decimals: str = DECIMALS[0]
    bigints: str = BIGINTS[0]

    def __post_init__(self) -> None:
        for name, choices in (("nulls", NULLS), ("decimals", DECIMALS), ("bigints", BIGINTS)):
            if (value := getattr(self, name)) not in choices:
                raise ConfigurationError(f"json_{name} is {value!r}: use one of {', '.join(map(repr, choices))}")

    @property
    def name(self) -> str:
        return json.dumps(["jsonl", self.nulls, self.decimals, self.bigints])

    def header(self, columns: Sequence[str]) -> bytes:  # noqa: ARG002 - JSON Lines has none
        return b""

    def encode_columns(self, names: Sequence[str], columns: Sequence[Sequence[Text]]) -> Iterator[bytes]:
        """Yield the rows of some columns of equal length, whose values are JSON already."""
        null = None if self.nulls == "omit" else "null"
        pairs = [
            [f"{name}:{value or null}" if value or null else None for value in column]
            for name, column in zip(map(json_text, names), columns, strict=True)
        ]
        return (f"{{{','.join(filter(None, row))}}}\n".encode() for row in zip(*pairs, strict=True))

    def key_of(self, columns: Sequence[str], order_by: Sequence[str], row: bytes) -> Key:  # noqa: ARG002
        values = json.loads(row, parse_float=str, parse_int=str)
        return tuple(_key_text(values[name]) for name in order_by)


@dataclass(frozen=True, slots=True)
class JSONColumnsFormat(CSVFormat):
    """Have the server send the values of JSON Lines without their names; see :mod:`.json_columns`.

    :param lines: what the lines become.
    """

    with_header: bool = COLUMNS.with_header
    delimiter: str = COLUMNS.delimiter
    quote: str = COLUMNS.quote
    lines: JSONLinesFormat = JSONLinesFormat()

    @property
    def name(self) -> str:
        return json.dumps(["jsonl columns", self.lines.name])


def is_bigint(kind: str) -> bool:
    """Return whether a type has integers beyond 2^53, or may have."""
    return kind in ("bigint", "")


def json_text(value: object, default: Callable[[object], object] | None = None) -> str:
    """Return a value as JSON on one line.

    :param default: turns a value that JSON does not have into one that it has.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=default)


def _key_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
