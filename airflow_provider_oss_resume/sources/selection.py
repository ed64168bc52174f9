"""The interface of a selection: many sources, found one after another."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.sources.local_path import ABOUT_BRACES, has_braces
from airflow_provider_oss_resume.sources.source import Source

MAGIC = re.compile(r"[*?]|\[[!^]|\[\[\]|\[[^]/]*[^]/[]-[^]/]+\]")
"""What makes a path a pattern: ``*``, ``?``, and brackets with a range, ``!`` or ``[``.

Other brackets are part of a name, as in ``report[1].csv``: if that file is missing, ``report1.csv`` is another file.
"""


@dataclass(frozen=True, slots=True)
class SelectedFile:
    """One file of a selection.

    :param location: the path or URL from which the selection makes the source; it holds no secret.
    :param relative: path below the directory that was selected, with ``/``; the file name for a file that was named.
    :param size: bytes, as the listing says; the source may have another size when it is opened.
    """

    location: str
    relative: str
    size: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A path that the selection cannot read, such as a directory without permission.

    :param reason: message for the user.
    """

    location: str
    reason: str


class Selection(Protocol):
    """Many sources."""

    def files(self) -> Iterator[SelectedFile | Unreadable]:
        """Yield all files; memory does not grow with their number.

        :raises ConfigurationError: the selection cannot work.
        """
        ...

    def source(self, location: str) -> Source:
        """Return the source at a location that :meth:`files` yielded."""
        ...


class NamePatterns:
    """Choose relative paths by patterns.

    A pattern with ``/`` is matched against the whole relative path, any other against the file name. ``**`` matches any
    number of directories.

    :param include: paths that match none of these are left out; empty: all paths match.
    :param exclude: paths that match one of these are left out.
    :raises ConfigurationError: a pattern has braces. They would match nothing, and an ``exclude`` leave nothing out.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        for name, patterns in (("include", include), ("exclude", exclude)):
            if wrong := [pattern for pattern in patterns if has_braces(pattern)]:
                raise ConfigurationError(f"{name} is {wrong[0]!r:.200}: {ABOUT_BRACES}")
        self._include = [_compiled(pattern) for pattern in include]
        self._exclude = [_compiled(pattern) for pattern in exclude]

    def accept(self, relative: str) -> bool:
        """Return whether a path is chosen."""
        included = not self._include or any(match(pattern, relative) for pattern in self._include)
        return included and not any(match(pattern, relative) for pattern in self._exclude)


def _compiled(pattern: str) -> tuple[bool, re.Pattern[str]]:
    return "/" in pattern, glob_regex(pattern)


def match(pattern: tuple[bool, re.Pattern[str]], relative: str) -> bool:
    """Return whether a compiled pattern matches a relative path."""
    whole, regex = pattern
    return regex.fullmatch(relative if whole else posixpath.basename(relative)) is not None


def glob_regex(pattern: str, *, hidden: bool = True) -> re.Pattern[str]:
    """Return the regular expression of a glob: ``*`` and ``?`` do not match ``/``, ``**`` matches directories.

    :param hidden: wildcards match names that start with a dot.
    """
    segments = pattern.split("/")
    parts = []
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        # Only a whole segment: in a**b the stars match no slash.
        if segment == "**":
            name = "[^/]+" if hidden else r"(?!\.)[^/]+"
            parts.append(f"(?:{name}/)*{name}" if last else f"(?:{name}/)*")
        else:
            parts.append(_segment_regex(segment, hidden) + ("" if last else "/"))
    return re.compile("".join(parts), re.DOTALL)


def _segment_regex(segment: str, hidden: bool) -> str:
    tokens = re.split(r"(\*+|\?|\[[!^]?\]?[^]]*\])", segment)
    guard = "" if hidden or segment.startswith(".") else r"(?!\.)"
    return guard + "".join(_token_regex(token) for token in tokens if token)


def _token_regex(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) > 2 and token.startswith("[") and token.endswith("]"):
        # A backslash in a glob is a character of a name; in a regular expression it would escape the next one.
        body = token[1:-1].replace("\\", "\\\\")
        negated = body[:1] in ("!", "^")
        return _class_regex(f"[{'^' if negated else ''}{_escaped(body[1:] if negated else body)}]", token)
    return re.escape(token)


def _class_regex(regex: str, token: str) -> str:
    """Return the regular expression of brackets; with a range that runs backwards, as in ``[2024-01]``, of a name."""
    try:
        re.compile(regex)
    except re.error:
        return re.escape(token)
    return regex


def _escaped(body: str) -> str:
    return body.replace("[", r"\[").replace("]", r"\]").replace("^", r"\^")


def split_glob(path: str) -> tuple[str, str]:
    """Return the directory before the first wildcard, and the pattern below it; no pattern without a wildcard."""
    segments = path.split("/")
    first = next((index for index, segment in enumerate(segments) if MAGIC.search(segment)), None)
    if first is None:
        return path, ""
    return "/".join(segments[:first]) or ("/" if path.startswith("/") else "."), "/".join(segments[first:])
