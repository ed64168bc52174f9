"""Replies of object stores, read block by block through the clients below s3fs, adlfs and gcsfs.

fsspec has no interface for that, so their own attributes are used; a filesystem without them is read by ``cat_file``.
The clients run on fsspec's event loop, in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_oss_resume.remote_sources.filesystems import Location

_SILENCE = 60.0
"""Seconds without a byte after which a connection to Google counts as lost; aiohttp alone ends a reply after five
minutes, however fast its bytes arrive."""

_PASSING = (408, 429)


def is_s3(fs: Any) -> bool:
    """Return whether :class:`S3Body` reads from this filesystem."""
    return hasattr(fs, "_call_s3") and hasattr(fs, "split_path")


def is_azure(fs: Any) -> bool:
    """Return whether :class:`AzureBody` reads from this filesystem."""
    return hasattr(fs, "service_client") and hasattr(fs, "split_path")


def is_gcsfs(fs: Any) -> bool:
    """Return whether a filesystem is that of Google Cloud Storage."""
    return all(hasattr(fs, name) for name in ("_set_session", "_get_params", "_get_headers", "url"))


def is_gcs(location: Location) -> bool:
    """Return whether :class:`GCSBody` reads this file. Objects of zonal buckets have no ranges over HTTP."""
    fs = location.fs
    if not is_gcsfs(fs):
        return False
    is_zonal = getattr(fs, "_is_zonal_bucket", None)
    return is_zonal is None or not _run(fs, is_zonal, fs.split_path(location.path)[0])


class _ObjectBody:
    """The bytes of a range, on condition that the object is still the same version.

    :param location: where the object is.
    :param first: first byte.
    :param end: byte after the last.
    :param version: ETag or generation of the object; empty: no condition.
    :ivar is_conditional: the store had to compare the version.
    :raises OSError: the store refuses, or the object has another version.
    """

    def __init__(self, location: Location, first: int, end: int, version: str) -> None:
        self._fs = location.fs
        self._reply = _run(location.fs, self._open, location, first, end, version)
        self.is_conditional = bool(version)

    def read(self, most: int) -> bytes:
        """Return the next bytes; none at the end.

        :raises ConnectionError: the reply was cut.
        """
        try:
            data: bytes = _run(self._fs, self._next, most)
        except Exception as error:  # noqa: BLE001 - each client has its own
            raise ConnectionError(f"the reply was cut: {type(error).__name__}") from None
        return data

    def close(self) -> None:
        """Give the connection back, or close it if bytes are left."""
        self._fs.loop.call_soon_threadsafe(self._reply.close)

    async def _open(self, location: Location, first: int, end: int, version: str) -> Any:
        """Send the request, and return the reply."""
        raise NotImplementedError

    async def _next(self, most: int) -> bytes:
        raise NotImplementedError


class S3Body(_ObjectBody):
    """A range of an object of S3; the version is its ETag."""

    async def _open(self, location: Location, first: int, end: int, version: str) -> Any:
        fs = location.fs
        bucket, key, version_id = fs.split_path(location.path)
        wanted: dict[str, Any] = {"Bucket": bucket, "Key": key, "Range": _span(first, end), **fs.req_kw}
        wanted |= {"VersionId": version_id} if version_id else {}
        wanted |= {"IfMatch": version} if version else {}
        return (await fs._call_s3("get_object", **wanted))["Body"]

    async def _next(self, most: int) -> bytes:
        data: bytes = await self._reply.read(most)
        return data


class AzureBody(_ObjectBody):
    """A range of a blob; the version is its ETag.

    ``download_blob`` of the client holds 32 MiB of a reply in memory, so the request is sent through its pipeline,
    which signs and repeats it.
    """

    def __init__(self, location: Location, first: int, end: int, version: str) -> None:
        super().__init__(location, first, end, version)
        self._blocks = self._reply.iter_raw()

    async def _open(self, location: Location, first: int, end: int, version: str) -> Any:
        from azure.core.exceptions import ServiceRequestError, ServiceResponseError
        from azure.core.rest import HttpRequest

        container, name, version_id = location.fs.split_path(location.path)
        blob = location.fs.service_client.get_blob_client(container=container, blob=name)
        condition = {"If-Match": version} if version else {}
        headers = {"x-ms-version": blob.api_version, "x-ms-range": _span(first, end), **condition}
        request = HttpRequest("GET", blob.url, headers=headers, params={"versionid": version_id} if version_id else {})
        try:
            reply = await blob._client._send_request(request, stream=True)
        except (ServiceRequestError, ServiceResponseError) as error:
            raise ConnectionError(f"no reply: {type(error).__name__}") from None
        if reply.status_code != 206:
            await reply.close()
            raise refusal(reply.status_code, reply.headers.get("x-ms-error-code", ""))
        return reply

    async def _next(self, most: int) -> bytes:
        blocks: list[bytes] = []
        count = 0
        try:
            while count < most and (block := await anext(self._blocks, b"")):
                blocks.append(block)
                count += len(block)
        except Exception:
            if not blocks:  # what has arrived counts: the next call ends early
                raise
        return b"".join(blocks)

    def close(self) -> None:
        """Close the connection."""
        asyncio.run_coroutine_threadsafe(self._reply.close(), self._fs.loop)


class GCSBody(_ObjectBody):
    """A range of an object of Google Cloud Storage; the version is its generation."""

    def __init__(self, location: Location, first: int, end: int, version: str) -> None:
        super().__init__(location, first, end, version)
        self.is_conditional = bool(version) and self._reply.headers.get("x-goog-generation") == version

    async def _open(self, location: Location, first: int, end: int, version: str) -> Any:
        from aiohttp import ClientError, ClientTimeout

        fs = location.fs
        # "gzip" asks for the bytes as they are stored: Google has no ranges of an object that it decompresses.
        headers = {"Range": _span(first, end), "Accept-Encoding": "gzip"}
        try:
            session = await fs._set_session()
            reply = await session.get(
                fs.url(location.path),
                params=fs._get_params({"ifGenerationMatch": version or None}),
                headers=fs._get_headers(headers),
                timeout=ClientTimeout(total=None, sock_connect=_SILENCE, sock_read=_SILENCE),
                auto_decompress=False,
            )
        except ClientError as error:
            raise ConnectionError(f"no reply: {type(error).__name__}") from None
        if reply.status != 206 or not reply.headers.get("content-range", "").startswith(f"bytes {first}-"):
            reply.close()
            raise refusal(reply.status)
        return reply

    async def _next(self, most: int) -> bytes:
        data: bytes = await self._reply.content.read(most)
        return data


def refusal(status: int, code: str = "") -> OSError:
    """Return the error for a reply that does not have the bytes asked for."""
    said = f"HTTP {status} {code}".rstrip()
    if status in (401, 403):
        return PermissionError(said)
    if status == 404:
        return FileNotFoundError(said)
    # A ConnectionError is retried (PASSING of object_storage), any other OSError is not.
    if status in _PASSING or status >= 500:
        return ConnectionError(said)
    return OSError(said)


def _span(first: int, end: int) -> str:
    return f"bytes={first}-{end - 1}"


def _run(fs: Any, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    from fsspec.asyn import sync

    return sync(fs.loop, call, *arguments, **named)
