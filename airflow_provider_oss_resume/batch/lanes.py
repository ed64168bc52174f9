"""Upload files on many threads: small files on some, large files on others, so that neither waits for the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from airflow_provider_oss_resume.batch.present_objects import Candidate
from airflow_provider_oss_resume.batch.tally import Tally
from airflow_provider_oss_resume.control.waiting import TICK
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    CredentialsExpiredError,
    FailedFile,
    NotFoundError,
    OSSResumeError,
    UnknownHostError,
    UploadCancelled,
)
from airflow_provider_oss_resume.transfer.one_core import OneCore
from airflow_provider_oss_resume.upload.upload_request import UploadResult

log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 100
"""Failures after which the batch gives up: an outage would otherwise be waited for once for each file."""


class Lane:
    """Files that are uploaded by a number of threads.

    :param candidates: taken one by one, by one thread at a time.
    :param upload: uploads one file.
    :param threads: number of threads.
    :param is_quick: an upload needs Python more than the kernel, see :mod:`.one_core`.
    """

    def __init__(
        self,
        candidates: Iterator[Candidate],
        upload: Callable[[Candidate], UploadResult],
        threads: int,
        *,
        is_quick: bool = False,
    ) -> None:
        self.candidates = candidates
        self.upload = upload
        self.threads = threads
        self.lock = threading.Lock()
        self.core = OneCore(is_useful=is_quick)


class LaneRunner:
    """Run lanes until all files are done.

    :param tally: counts each result.
    :param on_done: called with each result, on the thread that uploaded the file.
    """

    def __init__(self, tally: Tally, on_done: Callable[[UploadResult], None]) -> None:
        self._tally = tally
        self._on_done = on_done
        self._stopped = False
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def run(self, lanes: list[Lane], tick: Callable[[], None], stop: Callable[[], float]) -> None:
        """Upload all files; called on the caller's thread, which only waits.

        :param tick: called several times a second; an exception of it ends the batch.
        :param stop: called when the batch has to end early; returns the seconds that uploads get to end.
        :raises BaseException: an error that concerns all files.
        """
        try:
            for lane in lanes:
                self._start_lane(lane)
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(TICK)
                    for lane in lanes:
                        lane.core.tick()
                    tick()
                    self._raise_error()
            self._raise_error()
        except BaseException:
            self._stopped = True
            deadline = time.monotonic() + stop()
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            raise

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _start_lane(self, lane: Lane) -> None:
        for number in range(lane.threads):
            try:
                self._start(lane)
            except RuntimeError:  # no more threads: those of the lane that run are enough
                if not number:
                    raise
                return

    def _start(self, lane: Lane) -> None:
        thread = threading.Thread(target=self._work, args=(lane,), name="oss-resume-file", daemon=True)
        self._threads.append(thread)  # before it starts: an interrupt may arrive right after the start
        try:
            thread.start()
        except RuntimeError:
            self._threads.remove(thread)
            raise

    def _work(self, lane: Lane) -> None:
        try:
            with lane.core.kept():
                while not self._stopped and (candidate := self._take(lane)) is not None:
                    self._upload(lane, candidate)
        except BaseException as error:  # noqa: BLE001 - raised again on the calling thread
            # The first error is the cause; the others come from the stop that it makes.
            self._stopped, self._error = True, self._error or error

    def _take(self, lane: Lane) -> Candidate | None:
        # A generator that two threads advance at the same time raises ValueError.
        with lane.lock:
            return next(lane.candidates, None)

    def _upload(self, lane: Lane, candidate: Candidate) -> None:
        file = candidate.file
        try:
            result = lane.upload(candidate)
        except OSSResumeError as error:
            if isinstance(error, UploadCancelled) or concerns_all(error):
                raise
            self._tally.fail(FailedFile(file.location, str(error), error.permanent), file.key)
            if self._tally.failures.in_a_row >= MAX_FAILURES_IN_A_ROW:
                log.error("%d files in a row failed: no other file is started", MAX_FAILURES_IN_A_ROW)
                self._stopped = True
            return
        self._on_done(result)
        self._tally.done(result)


def concerns_all(error: OSSResumeError) -> bool:
    """Return whether an error would be that of any other file too."""
    if isinstance(error, (AccessDeniedError, NotFoundError)):
        return error.code not in ("AccessDenied", "NoSuchKey")
    return isinstance(error, (CredentialsExpiredError, UnknownHostError))
