r"""One page of a listing with prefix, delimiter and marker, over rows sorted by key bytes.

A cursor is (key, id): rows come behind it. The empty id sorts before every row of its key,
so ``(prefix, "")`` starts at the prefix itself; 0xff is in no UTF-8 text, so
``(prefix + b"\xff", "")`` jumps over everything under a common prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord, UploadRecord

LAST_ID = "~"
"""Sorts behind every id, which are letters and digits."""

Row = TypeVar("Row", bound=ObjectRecord | UploadRecord)
Cursor = tuple[bytes, str]
Fetch = Callable[[Cursor, int], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Say what to list.

    :param marker: keys and common prefixes up to this one were on earlier pages.
    :param marker_id: with it, rows of the marker's own key with greater ids are still to come.
    """

    prefix: str
    delimiter: str
    marker: str
    limit: int
    marker_id: str = LAST_ID

    def start(self) -> Cursor:
        """Return where to begin."""
        marker, prefix = self.marker.encode(), self.prefix.encode()
        return (marker, self.marker_id) if self.marker and marker >= prefix else (prefix, "")

    def common_prefix(self, key: str) -> str | None:
        """Return the common prefix that stands for a key, None if the key is listed itself."""
        if not self.delimiter:
            return None
        end = key.find(self.delimiter, len(self.prefix))
        return None if end < 0 else key[: end + len(self.delimiter)]


@dataclass(slots=True)
class Page(Generic[Row]):
    """Hold one page.

    :param last: last key or common prefix on the page: the next page's marker.
    """

    rows: list[Row] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    is_truncated: bool = False

    def add(self, entry: Row | str) -> None:
        """Put a row or a common prefix on the page."""
        if isinstance(entry, str):
            self.prefixes.append(entry)
            self.last = entry
        else:
            self.rows.append(entry)
            self.last = entry.key


def page_of(fetch: Fetch[Row], selection: Selection) -> Page[Row]:
    """Return the first page behind the selection's marker."""
    page: Page[Row] = Page()
    for entry in _entries(fetch, selection):
        if isinstance(entry, str) and selection.marker and entry.encode() <= selection.marker.encode():
            continue
        if len(page.rows) + len(page.prefixes) == selection.limit:
            page.is_truncated = True
            break
        page.add(entry)
    return page


def _entries(fetch: Fetch[Row], selection: Selection) -> Iterator[Row | str]:
    cursor: Cursor | None = selection.start()
    batch_size = 64 if selection.delimiter else selection.limit + 1
    while cursor is not None:
        rows = fetch(cursor, batch_size)
        cursor = None
        for row in rows:
            if not row.key.startswith(selection.prefix):
                return
            common = selection.common_prefix(row.key)
            if common is not None:
                yield common
                cursor = (common.encode() + b"\xff", "")
                break
            yield row
        else:
            cursor = _behind(rows[-1]) if len(rows) == batch_size else None


def _behind(row: ObjectRecord | UploadRecord) -> Cursor:
    return row.key.encode(), row.id if isinstance(row, UploadRecord) else LAST_ID
