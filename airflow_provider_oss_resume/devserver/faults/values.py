"""The values that the fields of a fault take.

They are checked when a plan is loaded. A ``part_number`` of ``"3"`` matches no request, and a
status of ``"503"`` breaks the reply; a plan with either tests nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum

_MOST_DIGITS = 18
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


def choose(kind: type[Enum], name: str, value: object) -> Enum:
    """Return the member of an enumeration with a value.

    :raises ValueError: names the valid values.
    """
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(str(one.value) for one in kind)
        raise ValueError(f"{name} {value!r} is not valid: use one of {names}") from None


def check(values: Mapping[str, object]) -> None:
    """Refuse a value that a field of a fault does not take.

    :raises ValueError: names the field, the value and what to write instead.
    """
    for name, (holds, wanted) in _FIELDS.items():
        if not holds(values[name]):
            raise ValueError(f"{name} {values[name]!r} is not valid: use {wanted}")


def _whole(value: object, low: int, high: int = 10**_MOST_DIGITS) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: object, low: float, high: float) -> bool:
    # NaN compares false with everything
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _text(value: object) -> bool:
    return isinstance(value, str)


def _headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(_header(name, text) for name, text in value.items())


def _header(name: object, text: object) -> bool:
    if not isinstance(name, str) or not isinstance(text, str):
        return False
    return bool(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text))


_DAY = 86_400.0
_PATTERN = "a string, in which * matches anything"
_COUNT = "a whole number of at least {}"
_FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "operation": (_text, _PATTERN),
    "bucket": (_text, _PATTERN),
    "key": (_text, _PATTERN),
    "part_number": (lambda value: value is None or _whole(value, 1), "a whole number from 1, or null"),
    "skip": (lambda value: _whole(value, 0), _COUNT.format(0)),
    "count": (lambda value: value is None or _whole(value, 1), f"{_COUNT.format(1)}, or null for always"),
    "probability": (lambda value: _number(value, 0.0, 1.0), "a number from 0 to 1"),
    "seed": (lambda value: _whole(value, -(10**_MOST_DIGITS)), "a whole number"),
    "status": (lambda value: _whole(value, 200, 599), "an HTTP status from 200 to 599"),
    "code": (_text, "a string"),
    "message": (_text, "a string"),
    "ec": (_text, "a string"),
    "body": (lambda value: value is None or _text(value), "a string, or null"),
    "headers": (_headers, "an object of header names and strings"),
    "seconds": (lambda value: _number(value, 0.0, _DAY), "a number of seconds from 0 to a day"),
    "bytes_per_second": (lambda value: _number(value, 1.0, 1e12), "a number of at least 1"),
    "after_bytes": (lambda value: value is None or _whole(value, 0), f"{_COUNT.format(0)}, or null for half"),
    "offset": (lambda value: _whole(value, 0), _COUNT.format(0)),
}
