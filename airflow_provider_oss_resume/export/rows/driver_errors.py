"""Errors of any DB-API driver as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, SourceError
from airflow_provider_oss_resume.export.rows.postgres_session import query_error

_REFUSED_BY_SQLITE = (
    *("no such ", "near ", "ambiguous column", "wrong number of", "incomplete input", "unrecognized token"),
)
"""How its errors begin about a query that cannot run; their class is that of errors at run time."""


@contextlib.contextmanager
def driver_errors() -> Iterator[None]:
    """Raise errors of the driver as ours."""
    try:
        yield
    except OSSResumeError:
        raise
    except UnicodeDecodeError as error:
        raise SourceError(f"the result holds text that is not valid UTF-8; convert it in the query: {error}") from error
    except Exception as error:
        if not _is_of_driver(error):
            raise
        raise _query_error(error) from error


def _is_of_driver(error: Exception) -> bool:
    """Return whether an error is of DB-API's tree, whatever the driver calls its module."""
    return any(kind.__name__ in ("Error", "DatabaseError", "InterfaceError") for kind in type(error).__mro__)


def _query_error(error: Exception) -> OSSResumeError:
    if getattr(error, "sqlstate", None) or getattr(error, "pgcode", None):
        return query_error(error)
    text = " ".join(str(error).split()) or type(error).__name__
    kinds = {kind.__name__ for kind in type(error).__mro__}
    is_refused = "OperationalError" in kinds and text.startswith(_REFUSED_BY_SQLITE)
    if is_refused or kinds & {"ProgrammingError", "NotSupportedError"}:
        return ConfigurationError(f"the database refuses the query: {text}")
    return SourceError(f"the query failed: {text}")
