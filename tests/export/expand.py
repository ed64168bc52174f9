"""Objects as a reader sees them."""

from __future__ import annotations

import gzip
import io

import zstandard


def expanded(data: bytes, compression: str | None) -> bytes:
    """Return an object's bytes before compression, as any reader sees them."""
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
            return reader.read()
    return data
