"""Parts in memory as a source."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import RecordedParts
from airflow_provider_oss_resume.sources.memory_parts import MemoryParts
from airflow_provider_oss_resume.sources.part_body import BLOCK_SIZE, PartBody, new_buffer
from airflow_provider_oss_resume.sources.source import Fingerprint

LONG = bytes(range(256)) * (2 * BLOCK_SIZE // 256) + b"end"


@pytest.mark.parametrize("content", [LONG, bytearray(LONG), memoryview(LONG)], ids=["bytes", "bytearray", "view"])
def test_a_part_is_read_again_until_it_is_released(content: bytes | bytearray | memoryview) -> None:
    source, layout = MemoryParts(Fingerprint(0, "stream")), RecordedParts([BLOCK_SIZE])
    part = layout.append(len(content))
    source.add(part.offset, content)
    body = PartBody(source, part, new_buffer(), lambda _count: None)
    for _ in range(2):
        assert b"".join(bytes(block) for block in body) == LONG
        assert body.crc64 == crc64(LONG)
    assert len(source) == 1
    source.let_go(part.offset, part.length)
    assert len(source) == 0
    with pytest.raises(SourceError, match=f"byte {BLOCK_SIZE} was released already"):
        list(body)
