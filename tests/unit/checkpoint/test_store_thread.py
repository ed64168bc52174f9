"""One thread makes the store calls of all uploads of a process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from airflow_provider_oss_resume.checkpoint import writer as writer_module
from airflow_provider_oss_resume.checkpoint.store_thread import StoreThread
from airflow_provider_oss_resume.checkpoint.writer import CheckpointWriter, WritePolicy
from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.stores.memory import MemoryStore
from tests.fakes import FakeClock

TEN_SECONDS = 10.0


def no_tick() -> None:
    """Do nothing."""


class ObservedStore(MemoryStore):
    """A store that records which threads call it."""

    def __init__(self, threads: set[int]) -> None:
        super().__init__()
        self._threads = threads

    def load(self) -> str | None:
        self._threads.add(threading.get_ident())
        return super().load()

    def save(self, text: str) -> None:
        self._threads.add(threading.get_ident())
        super().save(text)


class HangingStore(MemoryStore):
    """A store whose calls wait until they are released.

    :ivar entered: a call hangs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.released = threading.Event()

    def save(self, text: str) -> None:
        self.entered.set()
        self.released.wait(TEN_SECONDS)
        super().save(text)


@pytest.fixture
def thread() -> StoreThread:
    return StoreThread()


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore()
    yield store
    store.released.set()


def writer_of(
    thread: StoreThread, store: MemoryStore, policy: WritePolicy | None = None, **options: object
) -> CheckpointWriter:
    return CheckpointWriter(store, policy or WritePolicy(), FakeClock(), thread=thread, **options)  # type: ignore[arg-type]


def store_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "oss-resume-store"]


def start_hanging(writer: CheckpointWriter, store: HangingStore) -> None:
    """Start a write that hangs."""
    writer.begin_write("hangs")
    assert store.entered.wait(TEN_SECONDS)


def test_all_uploads_of_a_process_use_one_thread(thread: StoreThread) -> None:
    used: set[int] = set()
    stores = [ObservedStore(used) for _ in range(5)]

    def upload(store: ObservedStore) -> None:
        with closing(writer_of(thread, store)) as writer:
            writer.load(no_tick)
            for number in range(20):
                writer.flush(str(number))

    with ExitStack() as stack:
        stack.enter_context(closing(writer_of(thread, MemoryStore())))  # keeps the thread from the first to the last
        uploads = [threading.Thread(target=upload, args=(store,)) for store in stores]
        for one in uploads:
            one.start()
        for one in uploads:
            one.join()
    assert len(used) == 1
    assert [store.text for store in stores] == ["19"] * 5


def test_two_writers_have_the_thread_of_the_process_by_default() -> None:
    used: set[int] = set()
    with (
        closing(CheckpointWriter(ObservedStore(used), WritePolicy())) as one,
        closing(CheckpointWriter(ObservedStore(used), WritePolicy())) as other,
    ):
        one.load(no_tick)
        other.load(no_tick)
        assert len(store_threads()) == 1
    assert len(used) == 1


def test_the_thread_ends_with_the_last_upload_and_not_before(thread: StoreThread) -> None:
    used: set[int] = set()
    one, other = writer_of(thread, ObservedStore(used)), writer_of(thread, ObservedStore(used))
    one.load(no_tick)
    [running] = store_threads()
    one.close()
    other.load(no_tick)
    assert used == {running.ident}
    other.close()
    running.join(TEN_SECONDS)
    assert not running.is_alive()


def test_each_upload_keeps_its_own_policy(thread: StoreThread) -> None:
    eager, patient = MemoryStore(), MemoryStore()
    with (
        closing(writer_of(thread, eager, WritePolicy(interval=0.0))) as one,
        closing(writer_of(thread, patient, WritePolicy(interval=60.0))) as other,
    ):
        for writer in (one, other):
            writer.offer(1, lambda: "text")
            writer.load(no_tick)
    assert (eager.text, patient.text) == ("text", None)


def test_each_upload_keeps_its_own_owner_check(thread: StoreThread) -> None:
    def taken_over(_text: str | None) -> None:
        raise UploadCancelled("taken over")

    mine, lost = MemoryStore(), MemoryStore()
    with (
        closing(writer_of(thread, mine)) as one,
        closing(writer_of(thread, lost, check_owner=taken_over)) as other,
    ):
        for writer in (one, other):
            writer.write_first("first", no_tick)
            writer.flush("last")
        one.check()
        with pytest.raises(UploadCancelled, match="taken over"):
            other.check()
    assert (mine.text, lost.text) == ("last", "first")


def test_each_upload_warns_of_its_own_store(thread: StoreThread, caplog: pytest.LogCaptureFixture) -> None:
    class Full(MemoryStore):
        def save(self, text: str) -> None:
            raise OSError(f"no space for {text}")

    with closing(writer_of(thread, Full())) as one, closing(writer_of(thread, Full())) as other:
        for name, writer in (("one", one), ("other", other)):
            writer.write_first(name, no_tick)
            writer.write_first(name, no_tick)
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "checkpoint store: OSError: no space for one",
        "checkpoint store: OSError: no space for other",
    ]


def test_a_store_that_hangs_delays_the_others_and_fails_none(
    thread: StoreThread, hanging: HangingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop of another upload waits its own two seconds at most; its text is stored once the hang has ended."""
    monkeypatch.setattr(writer_module, "FLUSH_TIMEOUT", 0.0)
    store = MemoryStore()
    with closing(writer_of(thread, hanging)) as hung, closing(writer_of(thread, store)) as other:
        start_hanging(hung, hanging)
        other.flush("stopped")
        other.check()
        assert store.text is None
        hanging.released.set()
        assert other.load(no_tick) == "stopped"
    assert hanging.text == "hangs"


def test_an_upload_that_starts_during_a_hang_does_not_start_a_second_thread(
    thread: StoreThread, hanging: HangingStore
) -> None:
    """Two threads on Airflow's one socket would get each other's answers."""
    with closing(writer_of(thread, hanging)) as hung:
        start_hanging(hung, hanging)
    with closing(writer_of(thread, MemoryStore())) as other:
        other.offer(1, lambda: "text")
        writing = other._calls.submit(lambda: "done")
        assert len(store_threads()) == 1
        hanging.released.set()
        assert writing.result(TEN_SECONDS) == "done"


def test_without_room_for_a_thread_the_store_fails_and_not_the_upload(
    thread: StoreThread, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    store = MemoryStore()
    with closing(writer_of(thread, store)) as writer:
        monkeypatch.setattr(threading, "Thread", NoThread)
        writer.write_first("first", no_tick)
        monkeypatch.undo()
        writer.write_first("second", no_tick)
    assert "RuntimeError: can't start new thread; the upload continues" in caplog.text
    assert store.text == "second"


FORK = """
import os, threading
from contextlib import closing
from airflow_provider_oss_resume.checkpoint.store_thread import PROCESS_STORE_THREAD
from airflow_provider_oss_resume.checkpoint.writer import CheckpointWriter, WritePolicy
from airflow_provider_oss_resume.stores.memory import MemoryStore

inherited = CheckpointWriter(MemoryStore(), WritePolicy())
hangs, entered = threading.Event(), threading.Event()
PROCESS_STORE_THREAD.submit(lambda: entered.set() or hangs.wait())
entered.wait()
with PROCESS_STORE_THREAD._changed:  # as another thread may hold it at the moment of the fork
    child = os.fork()
    if child == 0:
        with closing(CheckpointWriter(MemoryStore(), WritePolicy())) as own:
            for writer in (own, inherited):
                writer.write_first("text", lambda: None)
                assert writer.load(lambda: None) == "text"
        inherited.close()
        os._exit(0)
_, status = os.waitpid(child, 0)
hangs.set()
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], timeout=60, check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
