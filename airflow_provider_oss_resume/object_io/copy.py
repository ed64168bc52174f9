"""Copy an object inside OSS, in parts where it is large; join several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.object_io.completion import UploadName, abort_quietly, complete_verified
from airflow_provider_oss_resume.oss import ObjectInfo, OSSClient, Part, limits
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.oss.http.percent_encoding import quote
from airflow_provider_oss_resume.oss.operation import NO_HEADERS
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange, plan_parts

_PART_SIZE = 256 * limits.MIB
_THREADS = 4
_KEPT_HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")


def copy_object(
    client: OSSClient,
    source: tuple[str, str],
    bucket: str,
    key: str,
    headers: Mapping[str, str] = NO_HEADERS,
    *,
    part_size: int | None = None,
    largest_whole: int = limits.MAX_COPY_SIZE,
) -> ObjectInfo:
    """Copy an object to another name in the same region and return what the source was.

    Content type, metadata and tags go with the object, above 1 GiB too, where OSS copies bytes only.

    :param source: bucket and key.
    :param headers: further headers of the new object, such as ``x-oss-storage-class`` or ``x-oss-forbid-overwrite``.
    :param part_size: bytes of a part of an object above ``largest_whole``; 256 MiB or more by default.
    :param largest_whole: bytes up to which one request copies the object.
    :raises ObjectChangedError: the source was replaced meanwhile.
    :raises IntegrityError: OSS reports another CRC-64 of the copy than of the source.
    """
    info = client.head_object(*source)
    if info.size <= largest_whole:
        # The headers returned to the caller are those of this very version.
        same = {"x-oss-copy-source-if-match": f'"{info.etag}"'}
        client.copy_object(source, bucket, key, {**headers, **same})
        return info
    upload_id = client.initiate_multipart_upload(bucket, key, {**_headers_of(client, source, info), **headers})
    upload = (bucket, key, upload_id)
    try:
        parts = _copy_parts(client, source, upload, _plan(info.size, part_size), info.etag)
        complete_verified(client, upload, parts, info.crc64)
    except BaseException:
        abort_quietly(client, upload)
        raise
    return info


def join_objects(
    client: OSSClient,
    sources: Sequence[tuple[str, str]],
    bucket: str,
    key: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> int:
    """Create an object of the bytes of others, in their order, inside OSS, and return its size.

    :param sources: bucket and key of each; every one but the last has 100 KiB to 5 GiB.
    :param headers: of the new object, such as ``Content-Type``.
    :raises ConfigurationError: there is none, or one is too small or too large to be a part.
    :raises ObjectChangedError: a source was replaced meanwhile.
    :raises IntegrityError: OSS reports another CRC-64 of the object than that of the sources together.
    """
    infos = [client.head_object(*source) for source in sources]
    _require_joinable(sources, infos)
    upload = (bucket, key, client.initiate_multipart_upload(bucket, key, headers))
    try:

        def copy(number: int) -> Part:
            info = infos[number - 1]
            return client.upload_part_copy(*upload, number, sources[number - 1], (0, info.size - 1), etag=info.etag)

        # map() keeps the order, and cancels what has not begun after the first error.
        with ThreadPoolExecutor(_THREADS, "oss-resume-join") as threads:
            parts = list(threads.map(copy, range(1, len(infos) + 1)))
        crcs = [(info.crc64, info.size) for info in infos if info.crc64 is not None]
        complete_verified(client, upload, parts, combine_all(crcs) if len(crcs) == len(infos) else None)
    except BaseException:
        abort_quietly(client, upload)
        raise
    return sum(info.size for info in infos)


def _require_joinable(sources: Sequence[tuple[str, str]], infos: Sequence[ObjectInfo]) -> None:
    if not 1 <= len(infos) <= limits.MAX_PARTS:
        raise ConfigurationError(f"{len(infos)} objects cannot be joined: give 1 to {limits.MAX_PARTS}")
    for number, ((bucket, key), info) in enumerate(zip(sources, infos, strict=True), start=1):
        least = 1 if number == len(infos) else limits.MIN_PART_SIZE
        if not least <= info.size <= limits.MAX_PART_SIZE:
            raise ConfigurationError(
                f"{bucket}/{key} has {info.size} bytes: each object to join must have {limits.MIN_PART_SIZE} to "
                f"{limits.MAX_PART_SIZE}; only the last one may have fewer, and at least 1"
            )


def _plan(size: int, part_size: int | None) -> PartPlan:
    return plan_parts(size, part_size or max(_PART_SIZE, plan_parts(size).part_size))


def _copy_parts(
    client: OSSClient, source: tuple[str, str], upload: UploadName, plan: PartPlan, etag: str
) -> list[Part]:
    def copy(part: PartRange) -> Part:
        whole = (part.offset, part.offset + part.length - 1)
        return client.upload_part_copy(*upload, part.number, source, whole, etag=etag)

    with ThreadPoolExecutor(_THREADS, "oss-resume-copy") as threads:
        return list(threads.map(copy, plan))


def _headers_of(client: OSSClient, source: tuple[str, str], info: ObjectInfo) -> dict[str, str]:
    headers = {name: info.headers[name] for name in _KEPT_HEADERS if name in info.headers}
    headers |= {f"x-oss-meta-{name}": value for name, value in info.metadata.items()}
    headers["Content-Type"] = info.content_type
    if info.headers.get("x-oss-tagging-count", "0") != "0":
        tags = client.get_object_tagging(*source)
        headers["x-oss-tagging"] = "&".join(f"{quote(name)}={quote(value)}" for name, value in tags.items())
    return headers
