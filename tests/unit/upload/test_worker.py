"""What a thread does about a part that two of them send."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import AccessDeniedError, ErrorDetails, TransportError
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.upload.destination import Destination
from airflow_provider_oss_resume.upload.meter import Meter
from airflow_provider_oss_resume.upload.planner import PartPlan
from airflow_provider_oss_resume.upload.source import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.upload.work import Task, WorkQueue
from airflow_provider_oss_resume.upload.worker import Differs, Settled, Shared, Worker

CONTENT = b"all of it"


class Client:
    """A client whose upload of a part is a function."""

    def __init__(self, upload: Callable[[], Part]) -> None:
        self._upload = upload
        self.asked = 0

    def fork(self, **_options: object) -> Client:
        return self

    def cancel(self) -> None:
        """Nobody waits."""

    def upload_part(self, *_arguments: object) -> Part:
        self.asked += 1
        return self._upload()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[OpenLocalFile]:
    (tmp_path / "file").write_bytes(CONTENT)
    with closing(LocalFile(tmp_path / "file").open()) as opened:
        yield opened


@pytest.fixture
def sent_already() -> WorkQueue:
    """The only part is being sent by somebody, and is to be sent by a second thread too."""
    work = WorkQueue([1], [], limit=2)
    work.take(may_send=True)
    assert work.send_too(1)
    return work


def run(client: Client, source: OpenLocalFile, work: WorkQueue) -> list[Settled | Differs | BaseException]:
    """Let a second thread send, and return what it tells."""
    anything: Any = client
    events: queue.SimpleQueue[Settled | Differs | BaseException] = queue.SimpleQueue()
    plan, to = PartPlan(len(CONTENT), len(CONTENT)), Destination("bucket", "key", "upload", {})
    Worker(
        Shared(anything, source, plan, to, {}, work, on_retry=lambda _error: None, events=events), Meter().counter()
    ).send_parts()
    return [events.get_nowait() for _ in range(events.qsize())]


def test_the_second_sending_may_fail_while_the_first_goes_on(source: OpenLocalFile, sent_already: WorkQueue) -> None:
    def fail() -> Part:
        sent_already.stop()  # or this thread would wait for the first
        raise TransportError("this connection is bad too")

    assert run(Client(fail), source, sent_already) == []
    assert sent_already.settle(1), "the first has arrived"


def test_what_the_wire_is_not_to_blame_for_ends_the_upload_at_once(
    source: OpenLocalFile, sent_already: WorkQueue
) -> None:
    def refuse() -> Part:
        raise AccessDeniedError(ErrorDetails(403, "AccessDenied"))

    with pytest.raises(AccessDeniedError):
        run(Client(refuse), source, sent_already)


def test_a_part_that_arrives_before_the_second_thread_begins_is_not_sent(source: OpenLocalFile) -> None:
    """The first looks for others to cut when the second has taken the part, and has not said so yet."""

    class Raced(WorkQueue):
        def take(self, *, may_send: bool) -> tuple[Task, int] | None:
            taken = super().take(may_send=may_send)
            if self._taken.get(1) == 2:
                self.settle(1)
            return taken

    work = Raced([1], [], limit=2)
    work.take(may_send=True)
    work.send_too(1)
    client = Client(lambda: Part(1, len(CONTENT), "AB"))
    assert run(client, source, work) == []
    assert client.asked == 0
