"""Which errors end a batch, and how its threads end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_oss_resume.batch.catalog import BatchFile
from airflow_provider_oss_resume.batch.lanes import Lane, LaneRunner, concerns_all
from airflow_provider_oss_resume.batch.present_objects import Candidate
from airflow_provider_oss_resume.batch.tally import Tally
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    CredentialsExpiredError,
    ErrorDetails,
    NotFoundError,
    OSSResumeError,
    SourceError,
    UnknownHostError,
    UploadCancelled,
)
from airflow_provider_oss_resume.upload.upload_request import UploadResult


def refused(kind: Any, code: str) -> OSSResumeError:
    error: OSSResumeError = kind(ErrorDetails(403, code, ""))
    return error


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (refused(AccessDeniedError, "AccessDenied"), False),
        (refused(AccessDeniedError, "SignatureDoesNotMatch"), True),
        (refused(NotFoundError, "NoSuchKey"), False),
        (refused(NotFoundError, "NoSuchBucket"), True),
        (refused(CredentialsExpiredError, "SecurityTokenExpired"), True),
        (UnknownHostError("no such host"), True),
        (SourceError("no such file"), False),
    ],
)
def test_errors_of_one_file_and_of_all(error: OSSResumeError, wanted: bool) -> None:
    assert concerns_all(error) is wanted


class Files:
    """Ten files, of which some are taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Candidate]:
        for number in range(10):
            self.taken += 1
            yield Candidate(BatchFile(f"{number}", f"/exports/{number}", 1))


def run(files: Files, upload: Any, tick: Any = lambda: None, stop: Any = lambda: 5.0) -> list[UploadResult]:
    done: list[UploadResult] = []
    LaneRunner(Tally(10), done.append).run([Lane(iter(files), upload, 2)], tick, stop)
    return done


def stored(candidate: Candidate) -> UploadResult:
    return UploadResult("b", candidate.file.key, 1, "E", 1)


def test_all_files_are_uploaded() -> None:
    assert sorted(one.key for one in run(Files(), stored)) == [str(number) for number in range(10)]


def test_an_error_that_concerns_all_ends_the_batch_as_the_cause() -> None:
    first, files, others = threading.Event(), Files(), list[str]()

    def upload(candidate: Candidate) -> UploadResult:
        if candidate.file.key == "0":
            first.set()
            raise refused(AccessDeniedError, "SignatureDoesNotMatch")
        first.wait(10)
        others.append(candidate.file.key)
        raise UploadCancelled("stopped")

    with pytest.raises(AccessDeniedError):
        run(files, upload)
    assert files.taken <= 2, "one file for each thread"


def test_a_stop_waits_for_the_uploads_in_progress_and_starts_no_other() -> None:
    files, begun, released, ended = Files(), threading.Barrier(3), threading.Event(), list[str]()

    def upload(candidate: Candidate) -> UploadResult:
        begun.wait(10)
        released.wait(10)
        ended.append(candidate.file.key)
        return stored(candidate)

    def tick() -> None:
        begun.wait(10)
        raise UploadCancelled("the task was killed")

    def stop() -> float:
        released.set()
        return 10.0

    with pytest.raises(UploadCancelled, match="the task was killed"):
        run(files, upload, tick, stop)
    assert (sorted(ended), files.taken) == (["0", "1"], 2)


def test_a_machine_with_few_threads_uploads_with_those(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def start_one(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)
    assert len(run(Files(), stored)) == 10


def test_a_machine_without_threads_fails_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run(Files(), stored)
