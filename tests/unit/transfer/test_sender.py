"""What a thread does about a part that two of them send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import AccessDeniedError, ErrorDetails, TransportError
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.local_file import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.part_queue import PartQueue, Task
from airflow_provider_oss_resume.transfer.part_set import PartSet, TransferOptions
from airflow_provider_oss_resume.transfer.sender import PartEvent, Sender, SenderContext

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
def sent_already() -> PartQueue:
    """The only part is being sent by somebody, and is to be sent by a second thread too."""
    work = PartQueue([1], [], limit=2)
    work.take(may_send=True)
    assert work.hedge(1)
    return work


def run(client: Client, source: OpenLocalFile, work: PartQueue) -> list[PartEvent]:
    """Let a second thread send, and return what it reports."""
    anything: Any = client
    events: list[PartEvent] = []
    parts = PartSet(source, PartPlan(len(CONTENT), len(CONTENT)), Destination("bucket", "key", "upload"), [1])
    Sender(
        SenderContext(parts, TransferOptions(anything), work, on_retry=lambda _error: None, report=events.append)
    ).send_parts()
    return events


def test_the_second_sending_may_fail_while_the_first_continues(source: OpenLocalFile, sent_already: PartQueue) -> None:
    def fail() -> Part:
        sent_already.stop()  # or this thread would wait for the first
        raise TransportError("this connection is bad too")

    assert run(Client(fail), source, sent_already) == []
    assert sent_already.settle(1), "the first has arrived"


def test_what_the_wire_is_not_to_blame_for_ends_the_upload_at_once(
    source: OpenLocalFile, sent_already: PartQueue
) -> None:
    def refuse() -> Part:
        raise AccessDeniedError(ErrorDetails(403, "AccessDenied"))

    with pytest.raises(AccessDeniedError):
        run(Client(refuse), source, sent_already)


def test_a_part_that_arrives_before_the_second_thread_begins_is_not_sent(source: OpenLocalFile) -> None:
    """The first looks for others to cut when the second has taken the part, and has not said so yet."""

    class Raced(PartQueue):
        def take(self, *, may_send: bool) -> tuple[Task, int] | None:
            taken = super().take(may_send=may_send)
            if self._taken.get(1) == 2:
                self.settle(1)
            return taken

    work = Raced([1], [], limit=2)
    work.take(may_send=True)
    work.hedge(1)
    client = Client(lambda: Part(1, len(CONTENT), "AB"))
    assert run(client, source, work) == []
    assert client.asked == 0
