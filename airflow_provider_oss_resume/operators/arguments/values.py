"""Convert operator arguments, as templates render them, to the types of the engine; pure.

A template renders everything to a string: ``"8388608"``, ``"False"``, ``"None"``. With
``render_template_as_native_obj=True`` it renders everything that looks like a number to
a number, such as the key ``20260101``. Each function accepts both forms, or refuses the
value by name. An empty string and ``None`` mean that the argument was not given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

from airflow_provider_oss_resume.exceptions import ConfigurationError

StreamFunction = Callable[..., Iterable[bytes] | IO[bytes]]
"""``source(context, jinja_env)``, as Airflow calls a function in place of a template."""

_NOT_GIVEN = ("", "None")
_BOOLEANS = {"true": True, "false": False}
_SIZE = re.compile(r"\s*(\d+)\s*(?:([KMG])(?:i?B)?)?\s*", re.IGNORECASE)
_LIST_AS_TEXT = re.compile(r"""\s*(\[\s*\]|[\[(]\s*(['"]).*\2\s*,?\s*[\])])\s*""", re.DOTALL)
"""The text that a template makes of a list of strings. No object has it as its key."""
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def whole_number(name: str, value: object) -> int | None:
    """Return a number, or ``None`` where none was given."""
    if value is None or (isinstance(value, str) and value.strip() in _NOT_GIVEN):
        return None
    try:
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise ConfigurationError(f"{name} is {value!r}: it must be a whole number")


def size_in_bytes(name: str, value: object) -> int | None:
    """Return a number of bytes, or ``None`` where none was given.

    :param value: a whole number, or a string such as ``"8M"``, ``"8MB"`` or ``"8MiB"``; as in
        ``bandwidth_limit``, the units are powers of 1024.
    """
    if isinstance(value, str) and value.strip() not in _NOT_GIVEN:
        found = _SIZE.fullmatch(value)
        if found is None:
            raise ConfigurationError(f"{name} is {value!r}: it must be a number of bytes, such as 8388608 or '8MiB'")
        return (whole_number(name, found[1]) or 0) * _UNITS[(found[2] or "").upper()]
    return whole_number(name, value)


def number_or(name: str, value: object, default: int) -> int:
    """Return a number, or the default where none was given."""
    number = whole_number(name, value)
    return default if number is None else number


def size_or(name: str, value: object, default: int) -> int:
    """Return a number of bytes, or the default where none was given."""
    size = size_in_bytes(name, value)
    return default if size is None else size


def truth(name: str, value: object) -> bool:
    """Return a boolean that a template may have rendered to a string."""
    found = value if isinstance(value, bool) else _BOOLEANS.get(str(value).strip().lower())
    if found is None:
        raise ConfigurationError(f"{name} is {value!r}: it must be True or False")
    return found


def truth_or(name: str, value: object, default: bool) -> bool:
    """Return a boolean, or the default where none was given."""
    given = not (value is None or (isinstance(value, str) and value.strip() in _NOT_GIVEN))
    return truth(name, value) if given else default


def text(name: str, value: object) -> str | None:
    """Return a string, or ``None`` where none was given."""
    if value is None or isinstance(value, str):
        return None if value in (None, *_NOT_GIVEN) else value
    raise _not_a_string(name, value, "'{{ ds_nodash }}'")


def path(name: str, value: object) -> str:
    """Return the path of a file as a string; empty where none was given."""
    return text(name, os.fspath(value) if isinstance(value, os.PathLike) else value) or ""


def is_path(value: object) -> bool:
    """Return whether a value is a path or a URL: a string, a ``Path`` or an ``ObjectStoragePath``."""
    return isinstance(value, (str, os.PathLike)) or (hasattr(value, "protocol") and hasattr(value, "fs"))


def renderable(source: object) -> Any:
    """Return a source in a form that Airflow renders: Airflow renders only strings.

    A ``Path`` with a template was not rendered, so every try failed with "no such file"
    (issue 8, A5). An ``ObjectStoragePath`` is not ``os.PathLike``; its string is its URL.
    """
    if isinstance(source, (list, tuple)):
        return [renderable(one) for one in source]
    if isinstance(source, os.PathLike) and not hasattr(source, "fs"):  # an ObjectStoragePath of Airflow 2 warns
        return os.fspath(source)
    return str(source) if is_path(source) and not isinstance(source, str) else source


def mapping(name: str, value: object) -> Mapping[str, Any] | None:
    """Return a dict with strings as keys, or ``None`` where none was given."""
    if value is None or (isinstance(value, str) and value in _NOT_GIVEN):
        return None
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise ConfigurationError(
        f"{name} is {value!r}: it must be a dict whose keys are strings; its values may be templates"
    )


def texts(name: str, value: object) -> Mapping[str, str]:
    """Return a dict of strings; empty where none was given."""
    found = mapping(name, value) or {}
    for key, entry in found.items():
        if entry is None:
            raise ConfigurationError(f"{name}[{key!r}] is None: write a string, or leave it out")
        if not isinstance(entry, str):
            raise _not_a_string(f"{name}[{key!r}]", entry, f"'{entry}'")
    return found


def _not_a_string(name: str, value: object, quoted: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is {value!r}, of type {type(value).__name__}: it must be a string; if render_template_as_native_obj "
        f'turned a string into it, put quotes inside the string: "{quoted}"'
    )


def keys_of(name: str, value: object) -> list[str]:
    """Return the keys of an argument that is a key or a list of them.

    :raises ConfigurationError: there is none, or one is empty or no string.
    """
    items: list[Any] = []
    if isinstance(value, str) and _LIST_AS_TEXT.fullmatch(value):
        raise ConfigurationError(
            f"{name} is the text {value!r:.60} of a list: give the output of the task itself (task.output), or set "
            "render_template_as_native_obj=True of the DAG"
        )
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        items = [value] if isinstance(value, str) else list(value)
    if not items or value == "None" or not all(isinstance(key, str) and key for key in items):
        raise ConfigurationError(f"{name} is {value!r:.60}: write a key, or a list of keys")
    return items


def choice_or_key(name: str, value: object) -> Any:
    """Return a boolean, or an object with the methods of a :class:`~..oss.client_encryption.master_keys.MasterKey`."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if not all(callable(getattr(value, method, None)) for method in ("wrap", "unwrap")):
        # The value is not shown: it may be the key.
        raise ConfigurationError(f"{name} has the type {type(value).__name__}: it must be True, False or a MasterKey")
    return value


def require_callable(name: str, value: object) -> None:
    """Raise :class:`ConfigurationError` unless the value can be called or is ``None``."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} is {value!r}: it must be a function")
