"""Pages of a listing against the simplest model of one: all keys, filtered and cut in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_oss_resume.devserver.operations.paging import Cursor, Selection, page_of
from airflow_provider_oss_resume.devserver.storage.records import ObjectRecord

KEYS = st.text(alphabet="ab/ü\U0001f600\x00", min_size=1, max_size=5)


def model(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """Return all entries, common prefixes among them, in byte order."""
    entries: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if end < 0 else key[: end + len(delimiter)]
        if not entries or entries[-1] != entry:
            entries.append(entry)
    return entries


def walk(keys: list[str], prefix: str, delimiter: str, limit: int) -> list[str]:
    """Return all entries as a client that follows the markers sees them."""
    stored = sorted(key.encode() for key in keys)

    def fetch(cursor: Cursor, count: int) -> list[ObjectRecord]:
        find = bisect_right if cursor[1] else bisect_left
        found = stored[find(stored, cursor[0]) :][:count]
        return [ObjectRecord("bucket", key.decode(), 0, "", 0, 0.0) for key in found]

    seen: list[str] = []
    marker = ""
    while True:
        page = page_of(fetch, Selection(prefix, delimiter, marker, limit))
        entries = [row.key for row in page.rows] + page.prefixes
        assert len(entries) <= limit
        seen += entries
        if not page.is_truncated:
            return seen
        marker = page.last


@settings(max_examples=200, deadline=None)
@given(
    st.lists(KEYS, unique=True, max_size=30),
    st.text("ab/", max_size=2),
    st.sampled_from(["", "/", "b", "//"]),
    st.integers(1, 7),
)
def test_following_the_markers_lists_every_entry_once(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    assert sorted(walk(keys, prefix, delimiter, limit), key=str.encode) == model(keys, prefix, delimiter)
