"""Check that a text is one query, and remove what is not allowed inside parentheses; pure."""

from __future__ import annotations

import re

from airflow_provider_oss_resume.exceptions import ConfigurationError

_STANDARD = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*(?:\n|\Z)|/\*)
    | (?P<quoted>[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`
        | \$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$)
    | (?P<end>;)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MYSQL = re.compile(
    r"""
      (?P<space>\s+|(?:--(?=\s|\Z)|\#)[^\n]*(?:\n|\Z)|/\*)
    | (?P<quoted>'(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*" | `[^`]*`)
    | (?P<end>;)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
"""A backslash escapes in strings, # begins a comment, and so does -- only before a space."""
_BYTE_ORDER_MARK = "\ufeff"
"""Some editors put it in front of a file."""
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})


def require_query(sql: str, *, is_mysql: bool = False) -> str:
    """Return one query without the semicolon that ends it.

    :param sql: may end in ``;`` and in comments. A line end follows a closing comment, so that the query
        can be put into parentheses.
    :param is_mysql: it is of MySQL or MariaDB, which write strings and comments in ways of their own.
    :raises ConfigurationError: the text is empty, holds two statements, or is not a query.
    """
    sql = sql.removeprefix(_BYTE_ORDER_MARK)
    tokens = _MYSQL if is_mysql else _STANDARD
    first, end, position = "", None, 0
    while position < len(sql):
        kind, text, position = _next_token(tokens, sql, position)
        if kind == "space":
            continue
        if kind == "end":
            end = position - 1 if end is None else end
        elif end is not None:
            raise ConfigurationError(
                f"sql holds a second statement, {sql[position - len(text) :].strip()!r:.60}: write one query"
            )
        else:
            first = first or text
    if not first:
        raise ConfigurationError("sql is empty: write a query")
    if first.upper() not in _QUERIES:
        raise ConfigurationError(f"sql starts with {first!r:.40}: it must be a query (SELECT, WITH, VALUES or TABLE)")
    return sql[:end].strip()


def _next_token(tokens: re.Pattern[str], sql: str, position: int) -> tuple[str, str, int]:
    found = tokens.match(sql, position)
    if found is None:  # pragma: no cover - the last alternative takes any character
        raise ConfigurationError(f"sql cannot be read at character {position}")
    end = _comment_end(sql, found.end()) if found[0] == "/*" else found.end()
    kind = next(name for name in ("space", "quoted", "end", "word", "other") if found[name] is not None)
    return kind, sql[position:end], end


def _comment_end(sql: str, position: int) -> int:
    """Return where a comment ends; PostgreSQL nests them."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            raise ConfigurationError("sql holds a comment without an end: close it with */")
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position
