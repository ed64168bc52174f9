"""Check that the rows that a resumed export does not read again have not changed."""

from __future__ import annotations

from airflow_provider_oss_resume.export.exported_object import Finished
from airflow_provider_oss_resume.export.object_parts import ObjectParts
from airflow_provider_oss_resume.export.rows.row_source import Key, RowSource
from airflow_provider_oss_resume.oss.crc64 import combine_all, crc64

_BLOCK = 1 << 20


def why_changed(source: RowSource, how: str | None, finished: Finished, parts: ObjectParts) -> str | None:
    """Return why the rows up to the last exported key are not those that were exported; ``None`` if they are.

    :param how: ``count``, ``hash`` or ``None``, which checks nothing.
    :param parts: of the object in progress.
    """
    last_key = parts.last_key or finished.last_key
    if how is None or last_key is None:
        return None
    if how == "count":
        before = sum(one.rows for one in finished.objects) + parts.rows
        now = source.count(last_key)
        return None if now == before else f"up to the last exported key there were {before:,} rows, and now {now:,}"
    raw = [*((one.raw_crc64, one.raw_size) for one in finished.objects), (parts.raw_crc64, parts.raw_size)]
    if _crc64_of_rows(source, last_key) == combine_all(raw):
        return None
    return "rows up to the last exported key have changed since they were exported"


def _crc64_of_rows(source: RowSource, until: Key) -> int:
    checksum, block = 0, bytearray()

    def write(row: bytes) -> None:
        nonlocal checksum, block
        # Rows are joined, because a checksum of each one takes twice as long.
        block += row
        if len(block) > _BLOCK:
            checksum, block = crc64(block, checksum), bytearray()

    source.stream(write, until=until)
    return crc64(block, checksum)
