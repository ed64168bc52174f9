"""The gzip compression of GetObject replies."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from airflow_provider_oss_resume.devserver.http.reply import Reply

_SMALLEST = 1024
_GZIP = 31  # zlib's window size for the gzip format
_TYPES = frozenset(
    """
    application/javascript application/json application/rss+xml application/x-javascript application/xml
    text/cache-manifest text/css text/html text/javascript text/json text/plain text/xml
    """.split()
)


def compressed(reply: Reply, request_headers: Mapping[str, str]) -> Reply:
    """Return a reply with a compressed body if the client and the object allow it.

    OSS compresses whole objects of 1 KiB and more with a compressible Content-Type. The compressed
    reply is chunked and has no ETag, because the ETag is that of the stored bytes.
    """
    if reply.stream is None or not _is_compressible(reply) or not _accepts_gzip(request_headers):
        return reply
    headers = {name: value for name, value in reply.headers.items() if name not in ("ETag", "Accept-Ranges")}
    return replace(
        reply,
        headers={**headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
        stream=_gzip(reply.stream),
        length=None,
    )


def _is_compressible(reply: Reply) -> bool:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_whole = reply.status == 200 and "content-encoding" not in headers
    return is_whole and (reply.length or 0) >= _SMALLEST and content_type in _TYPES


def _accepts_gzip(headers: Mapping[str, str]) -> bool:
    offers = (offer.partition(";") for offer in headers.get("accept-encoding", "").lower().split(","))
    return any(name.strip() == "gzip" and quality.strip() not in ("q=0", "q=0.0") for name, _, quality in offers)


async def _gzip(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    compressor = zlib.compressobj(wbits=_GZIP)
    async for piece in stream:
        if data := compressor.compress(piece):
            yield data
    yield compressor.flush()
