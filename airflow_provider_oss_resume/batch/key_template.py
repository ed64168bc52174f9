"""Make the key of each file from one argument; pure."""

from __future__ import annotations

import posixpath
import re

from airflow_provider_oss_resume.exceptions import ConfigurationError

FIELDS = ("name", "stem", "suffix", "path", "index")
_FIELD = re.compile(r"\{([^{}]*)\}")


class KeyTemplate:
    """A prefix, to which the relative path is appended, or a template.

    The fields of a template are ``{path}`` (relative path), ``{name}`` (file name), ``{stem}`` and ``{suffix}`` (the
    name before its last dot, and the rest with the dot) and ``{index}`` (position among all files in the
    order of their paths, from 0).

    :param text: ``exports/`` or ``exports`` is a prefix; ``exports/{stem}-{index}{suffix}`` is a template.
    :raises ConfigurationError: the template has an unknown field.
    """

    def __init__(self, text: str) -> None:
        unknown = [name for name in _FIELD.findall(text) if name not in FIELDS]
        if unknown:
            fields = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ConfigurationError(f"key {text!r} has the field {{{unknown[0]}}}: the fields are {fields}")
        self._text = text
        self._is_template = _FIELD.search(text) is not None

    @property
    def prefix(self) -> str:
        """Return the part of all keys that is fixed: empty, or up to a slash."""
        if not self._is_template:
            return self._text.rstrip("/") + "/" if self._text else ""
        fixed = self._text.partition("{")[0]
        return fixed[: fixed.rfind("/") + 1]

    def key(self, relative: str, index: int) -> str:
        """Return the key of a file.

        :param relative: its path below the directory that was selected.
        :param index: its position in the selection, from 0.
        """
        if not self._is_template:
            return self.prefix + relative
        name = posixpath.basename(relative)
        stem, suffix = posixpath.splitext(name)
        values = {"name": name, "stem": stem, "suffix": suffix, "path": relative, "index": str(index)}
        return _FIELD.sub(lambda found: values[found[1]], self._text)
