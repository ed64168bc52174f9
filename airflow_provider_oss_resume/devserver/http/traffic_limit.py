"""``x-oss-traffic-limit``: the bandwidth limit of one request, in bits per second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from airflow_provider_oss_resume.devserver.errors import invalid_argument
from airflow_provider_oss_resume.devserver.http.call import OSSRequest
from airflow_provider_oss_resume.devserver.http.reply import Reply
from airflow_provider_oss_resume.devserver.numbers import whole

_NAME = "x-oss-traffic-limit"
_STEP = 0.05  # seconds between two blocks of a slowed reply
_DELAY = "x-oss-qos-delay-time"
# 30 KiB/s and 100 MiB/s in bits, as OSS documents them.
_LOWEST, _HIGHEST = 245_760, 838_860_800


def bytes_per_second(request: OSSRequest) -> float | None:
    """Return the limit that a request asks for, None if it asks for none.

    :raises OSSError: 400 InvalidArgument for a limit out of range or given twice.
    """
    in_header, in_query = request.header(_NAME), request.query.get(_NAME, "")
    if in_header and in_query:
        raise invalid_argument("The traffic limit is given in header and query.", _NAME, in_query)
    text = in_header or in_query
    if not text:
        return None
    limit = whole(text)
    if limit is None or not _LOWEST <= limit <= _HIGHEST:
        raise invalid_argument(f"The traffic limit must be {_LOWEST} to {_HIGHEST} bit/s.", _NAME, text)
    return limit / 8


def limited(reply: Reply, rate: float | None, delayed: float) -> Reply:
    """Return a reply whose body is sent no faster than the limit and that tells the delay.

    :param rate: bytes per second, None for no limit.
    :param delayed: seconds by which the request's own body was delayed.
    """
    if rate is None:
        return reply
    seconds = delayed if reply.stream is None else (reply.length or 0) / rate
    headers = {**reply.headers, _DELAY: str(int(seconds * 1000))}
    stream = None if reply.stream is None else _paced(reply.stream, rate)
    return replace(reply, headers=headers, stream=stream)


async def _paced(stream: AsyncIterator[bytes], rate: float) -> AsyncIterator[bytes]:
    step = max(1, int(rate * _STEP))
    async for piece in stream:
        for offset in range(0, len(piece), step):
            block = piece[offset : offset + step]
            await asyncio.sleep(len(block) / rate)
            yield block
