"""The interface of a source of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_oss_resume.export.formats.row_format import RowFormat

Key = tuple[str, ...]
"""Values of the ``order_by`` columns of one row, as the text that the database gives for them."""

Write = Callable[[bytes], None]
"""Takes one encoded row. It raises to end the stream."""


@dataclass(frozen=True, slots=True)
class Column:
    """Describe one column of a result.

    :param name: as the query names it; two columns may share one.
    :param type: the database's name of the type, such as ``numeric(12,2)``; empty where it reports none.
    """

    name: str
    type: str


class RowSource(Protocol):
    """Run one query and stream its rows, encoded."""

    @property
    def identity(self) -> str:
        """Name the query and how its rows are read and encoded.

        A part that is read on another path may hold other bytes, so an export resumes only what has the same
        identity.
        """
        ...

    @property
    def row_format(self) -> RowFormat:
        """Return how the rows are encoded."""
        ...

    def describe(self) -> tuple[Column, ...]:
        """Return the columns of the result without running the query.

        :raises ConfigurationError: the database refuses the query.
        """
        ...

    def check_key(self) -> None:
        """Raise :class:`ConfigurationError` unless rows can be resumed after a key."""
        ...

    def key_of(self, row: bytes) -> Key:
        """Return the key of an encoded row."""
        ...

    def estimate_rows(self) -> int | None:
        """Return how many rows the database expects; ``None`` where it cannot say."""
        ...

    def count(self, until: Key) -> int:
        """Return how many rows there are up to and including a key."""
        ...

    def stream(self, write: Write, after: Key | None = None, until: Key | None = None) -> int | None:
        """Write each row, in the order of the key where there is one.

        Return how many rows the database says that it sent; ``None`` where it does not say.

        :param after: leave out rows up to and including this key.
        :param until: leave out rows after this key.
        :raises SourceError: the query failed, the connection was lost, or the query was cancelled.
        """
        ...

    def cancel(self) -> None:
        """End the running query in the database; called from another thread."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...
