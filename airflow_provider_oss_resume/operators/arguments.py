"""Operator arguments as they come out of templates, to what the engine takes; pure.

A template makes text of everything: "8388608", "False", "None". With
``render_template_as_native_obj=True`` it makes a number of everything that looks
like one, such as the key ``20260101``. Each argument is read from either, or
refused by name; an empty text or ``None`` means that it was not given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError

_NOT_GIVEN = ("", "None")
_TRUTHS = {"true": True, "false": False}


def whole_number(name: str, value: object) -> int | None:
    """Return a number, or ``None`` where none was given."""
    if value is None or (isinstance(value, str) and value.strip() in _NOT_GIVEN):
        return None
    try:
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise ConfigurationError(f"{name} is {value!r}: give a whole number")


def number_or(name: str, value: object, default: int) -> int:
    """Return a number, or the default where none was given."""
    number = whole_number(name, value)
    return default if number is None else number


def truth(name: str, value: object) -> bool:
    """Return a truth value that may have come from a template as text."""
    found = value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
    if found is None:
        raise ConfigurationError(f"{name} is {value!r}: give True or False")
    return found


def text(name: str, value: object) -> str | None:
    """Return a text, or ``None`` where none was given."""
    if value is None or isinstance(value, str):
        return None if value in (None, *_NOT_GIVEN) else value
    raise ConfigurationError(
        f"{name} is {value!r}, a {type(value).__name__}: give a text; where render_template_as_native_obj makes "
        "something else of a template, put quotes into the text: \"'{{ ds_nodash }}'\""
    )


def path(name: str, value: object) -> str:
    """Return the path of a file as text; empty where none was given."""
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value) or ""


def mapping(name: str, value: object) -> Mapping[str, Any] | None:
    """Return a dict with text keys, or ``None`` where none was given."""
    if value is None or (isinstance(value, str) and value in _NOT_GIVEN):
        return None
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise ConfigurationError(f"{name} is {value!r}: give a dict with texts as keys, templates may stand in its values")


def texts(name: str, value: object) -> Mapping[str, str]:
    """Return a dict of texts; empty where none was given."""
    found = mapping(name, value) or {}
    for key, entry in found.items():
        if not isinstance(entry, str):
            raise ConfigurationError(f"{name}[{key!r}] is {entry!r}: give a text{_instead_of(entry)}")
    return found


def _instead_of(entry: object) -> str:
    if entry is None:
        return ", or leave it out"
    return "" if isinstance(entry, (Mapping, list, tuple, set)) else f", such as {str(entry)!r}"


def choice_or_key(name: str, value: object) -> Any:
    """Return a truth value, or an object that is a :class:`~..oss.encryption.MasterKey` by its methods."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if not all(callable(getattr(value, method, None)) for method in ("wrap", "unwrap")):  # not shown: it may be the key
        raise ConfigurationError(f"{name} is given a {type(value).__name__}: give True, False or a MasterKey")
    return value


def require_callable(name: str, value: object) -> None:
    """Raise :class:`ConfigurationError` unless the value can be called or is ``None``."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} is {value!r}: give a function")
