"""Download one object so that the next try continues where this one stops."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace

from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.download.download_request import DownloadRequest, DownloadResult
from airflow_provider_oss_resume.download.part_file import LocalTarget
from airflow_provider_oss_resume.download.receive import RangeReader, ReceivedPart, Receivers
from airflow_provider_oss_resume.download.record import DownloadRecord, ObjectVersion
from airflow_provider_oss_resume.download.target import PartsOfTarget, Target
from airflow_provider_oss_resume.exceptions import IntegrityError, NotFoundError, ObjectChangedError, TargetError
from airflow_provider_oss_resume.oss import ObjectInfo, OSSClient
from airflow_provider_oss_resume.oss.crc64 import combine_all
from airflow_provider_oss_resume.sources.layout import PartPlan, plan_parts
from airflow_provider_oss_resume.transfer.progress import human_size, human_time

log = logging.getLogger(__name__)

SAVE_INTERVAL = 1.0
"""Seconds between two checkpoints: what a killed download reads again at most."""

_VERSIONS = 3
"""How many versions of an object one call begins to read: one that changes all the time is never read whole."""


class Downloader:
    """Download objects to local files.

    A file appears under its name only when it is complete and its CRC-64 is that of OSS. Until then its
    bytes are in ``<path>.part``, and ``<path>.part.checkpoint`` says which ranges are there.

    :param client: its credentials, settings and connections are used.
    :param watch: called several times a second on the calling thread; what it raises stops the download.
    :param save_interval: seconds between two checkpoints.
    :param clock: seconds that never go back.
    """

    def __init__(
        self,
        client: OSSClient,
        *,
        watch: Callable[[], None] = lambda: None,
        save_interval: float = SAVE_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._watch = watch
        self._save_interval = save_interval
        self._clock = clock

    def download(
        self, request: DownloadRequest, cancel: Cancel | None = None, target: Target | None = None
    ) -> DownloadResult:
        """Download one object, continuing what the checkpoint beside the file describes.

        :param target: what is written instead of a local file; the path of the request is its name in logs.
        :param cancel: lets a signal handler or another thread stop the download.
        :raises ConfigurationError: an argument cannot work; nothing was sent.
        :raises NotFoundError: there is no such object.
        :raises ObjectChangedError: the object was replaced again and again while it was read.
        :raises IntegrityError: the CRC-64 of the bytes is not the one that OSS reports; the ``.part`` file is deleted.
        :raises TargetError: the file cannot be written, or another process writes it.
        :raises UploadCancelled: a stop was requested; the ``.part`` file is kept.
        """
        started, cancel = self._clock(), cancel or Cancel()
        for left in reversed(range(_VERSIONS)):
            try:
                result = self._download_version(request, target or LocalTarget(str(request.path)), cancel)
                result = replace(result, duration_s=self._clock() - started)
                _log_end(result)
                return result
            except ObjectChangedError as error:
                # Its checkpoint is discarded by now, so the next version starts from its first byte.
                if not left:
                    raise
                log.warning("the object changed while it was downloaded, starting again: %s", error)
        raise AssertionError  # pragma: no cover

    def _download_version(self, request: DownloadRequest, target: Target, cancel: Cancel) -> DownloadResult:
        def tick() -> None:
            cancel.check()
            self._watch()

        with self._client.fork() as client:
            info = run_watched(lambda: client.head_object(request.bucket, request.key), tick, client.cancel)
            _warn_if_encrypted(request, info)
            run = _Run(request, info, self._version(request, info), _SaveTimer(self._save_interval, self._clock))
            # Read whole, because a file of the same size and of any time may have other bytes.
            if info.crc64 is not None and (crc := target.crc64(info.size)) == info.crc64:
                log.info("%s already has the bytes of the object: nothing to download", request.path)
                return run.result(crc, unchanged=True)
            return run.receive(target, client, tick)

    def _version(self, request: DownloadRequest, info: ObjectInfo) -> ObjectVersion:
        part_size = plan_parts(info.size, request.part_size).part_size
        return ObjectVersion(self._client.endpoint, request.bucket, request.key, info.etag, info.size, part_size)


class _SaveTimer:
    """Tell when the checkpoint is due.

    :param interval: seconds between two checkpoints.
    """

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._last = clock()

    def restart(self) -> None:
        self._last = self._clock()

    def is_due(self) -> bool:
        return self._clock() - self._last >= self._interval


@dataclass(slots=True)
class _Arrived:
    """Count the ranges that are in the file.

    :param crcs: CRC-64 by part number.
    :param reused: ranges that an earlier try wrote.
    :param received: bytes that were read from OSS.
    """

    crcs: dict[int, int] = field(default_factory=dict)
    reused: int = 0
    received: int = 0

    def add(self, part: ReceivedPart) -> None:
        self.crcs[part.number] = part.crc64
        self.reused += part.reused
        self.received += 0 if part.reused else part.length


class _Run:
    """Download one version of an object."""

    def __init__(
        self,
        request: DownloadRequest,
        info: ObjectInfo,
        version: ObjectVersion,
        saves: _SaveTimer,
    ) -> None:
        self._request = request
        self._info = info
        self._version = version
        self._saves = saves
        self._arrived = _Arrived()

    @property
    def _path(self) -> str:
        return str(self._request.path)

    def receive(self, target: Target, client: OSSClient, tick: Callable[[], None]) -> DownloadResult:
        """Read the ranges that are missing, verify the whole, and give the file its name."""
        with closing(target.open_parts()) as file:
            kept = file.kept_parts(self._version)
            _log_start(self._request, self._version, kept)
            if self._version.size:
                receivers = Receivers(RangeReader(client, self._version, file, kept), self._request.max_concurrency)
                self._receive_parts(receivers, file, kept, tick)
            crc = self._verify(file)
            crash_point("before_publish")
            file.publish(self._version, crc)
        return self.result(crc)

    def _receive_parts(
        self, receivers: Receivers, file: PartsOfTarget, kept: dict[int, int], tick: Callable[[], None]
    ) -> None:
        self._arrived.crcs.update(kept)
        self._saves.restart()
        try:
            # Closed before the checkpoint is saved: no thread may write a range that the checkpoint does not know.
            with closing(receivers.run(tick)) as parts:
                for part in parts:
                    self._arrived.add(part)
                    if self._saves.is_due():
                        self._save(file)
                        self._saves.restart()
        except (ObjectChangedError, NotFoundError):  # no later try can use the ranges of this version
            file.discard()
            raise
        except BaseException:
            self._save_last(file)
            raise

    def _save(self, file: PartsOfTarget) -> None:
        file.save(DownloadRecord(self._version, self._arrived.crcs))
        crash_point("after_download_checkpoint")

    def _save_last(self, file: PartsOfTarget) -> None:
        """Save on the way out. A full disk must not hide what ended the download, such as a stop request."""
        try:
            self._save(file)
        except TargetError as error:
            log.warning("%s; the next try downloads the ranges since the last checkpoint again", error)

    def _verify(self, file: PartsOfTarget) -> int:
        plan = PartPlan(self._version.size, self._version.part_size)
        crc = combine_all((self._arrived.crcs[part.number], part.length) for part in plan) if self._version.size else 0
        if self._info.crc64 is None:
            log.warning("OSS reports no CRC-64 of %s: the file is not verified", self._request.key)
        # Nothing is kept: each range has the CRC-64 it was received with, so the next try would end in the same way.
        elif crc != self._info.crc64:
            file.discard()
            raise IntegrityError(
                f"{self._request.bucket}/{self._request.key} has CRC-64 {self._info.crc64} in OSS, but the bytes "
                f"received have {crc}: they changed on the way or on disk; the .part file is deleted"
            )
        return crc

    def result(self, crc: int, *, unchanged: bool = False) -> DownloadResult:
        """Return what was done."""
        return DownloadResult(
            bucket=self._request.bucket,
            key=self._request.key,
            path=self._path,
            size=self._version.size,
            etag=self._version.etag,
            crc64=crc,
            verified=self._info.crc64 is not None,
            parts=PartPlan(self._version.size, self._version.part_size).count if self._version.size else 0,
            parts_reused=self._arrived.reused,
            bytes_received=self._arrived.received,
            unchanged=unchanged,
        )


def _log_start(request: DownloadRequest, version: ObjectVersion, kept: dict[int, int]) -> None:
    count = PartPlan(version.size, version.part_size).count
    source = f"oss://{version.bucket}/{version.key}"
    if kept:
        log.info("resume: %s to %s, %d of %d parts are kept", source, request.path, len(kept), count)
    else:
        log.info("start: %s to %s, %s in %d parts", source, request.path, human_size(version.size), count)


def _log_end(result: DownloadResult) -> None:
    if not result.unchanged:
        log.info(
            "done: %s, %s %s, %s received in %s",
            result.path,
            human_size(result.size),
            "verified" if result.verified else "not verified",
            human_size(result.bytes_received),
            human_time(result.duration_s),
        )


def _warn_if_encrypted(request: DownloadRequest, info: ObjectInfo) -> None:
    if "client-side-encryption-key" in info.metadata:
        log.warning("%s is encrypted on the client side: the file holds the encrypted bytes", request.key)
