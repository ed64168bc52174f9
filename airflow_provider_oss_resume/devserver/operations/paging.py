r"""One page of a listing with prefix, delimiter and marker, over rows sorted by key bytes.

A cursor is (key, id) and names the position after which rows are read. The empty id sorts
before every row of its key, so ``(prefix, "")`` starts at the prefix itself. UTF-8 never
holds 0xff, so ``(prefix + b"\xff", "")`` skips everything under a common prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from airflow_provider_oss_resume.devserver.http.call import OSSRequest
from airflow_provider_oss_resume.devserver.http.reply import Pairs
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord, UploadRecord

LAST_ID = "~"
"""Sorts after every id, because ids are letters and digits."""

Row = TypeVar("Row", bound=ObjectRecord | UploadRecord)
Cursor = tuple[bytes, str]
Fetch = Callable[[Cursor, int], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Describe what to list.

    :param marker: keys and common prefixes up to this one were on earlier pages.
    :param marker_id: rows of the marker's key with greater ids were not.
    """

    prefix: str
    delimiter: str
    marker: str
    limit: int
    marker_id: str = LAST_ID

    def start(self) -> Cursor:
        """Return the first cursor."""
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

    :param last: last key or common prefix on the page, the marker of the next page.
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
    """Return the first page after the selection's marker."""
    page: Page[Row] = Page()
    for entry in _entries(fetch, selection):
        if isinstance(entry, str) and selection.marker and entry.encode() <= selection.marker.encode():
            continue
        if len(page.rows) + len(page.prefixes) == selection.limit:
            page.is_truncated = True
            break
        page.add(entry)
    return page


def boolean(value: bool) -> str:
    """Return a truth value as XML text."""
    return "true" if value else "false"


def common_prefixes(request: OSSRequest, prefixes: Sequence[str]) -> Pairs:
    """Return the elements of a listing's common prefixes."""
    return [("CommonPrefixes", [("Prefix", request.encoded(prefix))]) for prefix in prefixes]


def _entries(fetch: Fetch[Row], selection: Selection) -> Iterator[Row | str]:
    cursor: Cursor | None = selection.start()
    # With a delimiter, a common prefix ends the batch, and the rows after it were read for nothing.
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
            cursor = _after(rows[-1]) if len(rows) == batch_size else None


def _after(row: ObjectRecord | UploadRecord) -> Cursor:
    return row.key.encode(), row.id if isinstance(row, UploadRecord) else LAST_ID
