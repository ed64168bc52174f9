"""The thread that talks to the store: how often it writes, and what a store can do to an upload (nothing)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from airflow_provider_oss_resume.checkpoint import writer as module
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore, NoStore
from airflow_provider_oss_resume.checkpoint.store_thread import StoreCalls, StoreThread
from airflow_provider_oss_resume.checkpoint.writer import CheckpointWriter, WritePolicy
from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.stores.memory import MemoryStore
from tests.fakes import FakeClock

TEN_SECONDS = 10.0


def nothing() -> None:
    """Look around and find nothing."""


class CountingStore(MemoryStore):
    """A store that keeps all it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[str] = []
        self.threads: set[str] = set()

    def load(self) -> str | None:
        self.threads.add(threading.current_thread().name)
        return super().load()

    def save(self, text: str) -> None:
        self.threads.add(threading.current_thread().name)
        self.saved.append(text)
        super().save(text)


class RaisingStore:
    """A store that fails in its own way each time."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def load(self) -> str | None:
        raise self._error

    def save(self, text: str) -> None:
        raise self._error

    def delete(self) -> None:
        raise self._error


class HangingStore(MemoryStore):
    """A store that answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def load(self) -> str | None:
        self.let_go.wait(TEN_SECONDS)
        return super().load()

    def save(self, text: str) -> None:
        self.let_go.wait(TEN_SECONDS)
        super().save(text)

    def delete(self) -> None:
        self.let_go.wait(TEN_SECONDS)
        super().delete()


@pytest.fixture
def hanging() -> Iterator[HangingStore]:
    store = HangingStore()
    yield store
    store.let_go.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOAD_TIMEOUT", "FIRST_WRITE_TIMEOUT", "FLUSH_TIMEOUT", "DISCARD_TIMEOUT"):
        monkeypatch.setattr(module, name, 0.0)


def writer_of(
    store: CheckpointStore,
    policy: WritePolicy | None = None,
    clock: Callable[[], float] | None = None,
    check_owner: Callable[[str | None], None] = lambda _text: None,
) -> closing[CheckpointWriter]:
    return closing(CheckpointWriter(store, policy or WritePolicy(), clock or FakeClock(), check_owner))


def test_what_is_written_first_is_there_when_it_returns() -> None:
    store = CountingStore()
    with writer_of(store) as writer:
        assert writer.load(nothing) is None
        writer.write_first("first", nothing)
        assert store.saved == ["first"]
        assert writer.load(nothing) == "first"
        writer.delete(lambda: False)
        assert store.text is None


def test_every_call_is_made_on_one_thread_and_not_on_the_callers() -> None:
    store = CountingStore()
    with writer_of(store) as writer:
        writer.load(nothing)
        writer.write_first("first", nothing)
        writer.flush("last")
    assert store.threads == {"oss-resume-store"}


def test_its_thread_ends_with_it() -> None:
    before = threading.active_count()
    with writer_of(MemoryStore()) as writer:
        writer.write_first("first", nothing)
        thread = next(one for one in threading.enumerate() if one.name == "oss-resume-store")
    thread.join(TEN_SECONDS)
    assert threading.active_count() == before


def test_without_a_store_it_needs_no_thread() -> None:
    before = threading.active_count()
    with writer_of(NoStore()) as writer:
        assert writer.load(nothing) is None
        writer.write_first("first", nothing)
        assert threading.active_count() == before


def offered(writer: CheckpointWriter, text: str) -> None:
    """Offer a text, and wait until the store thread is idle again."""
    writer.offer(len(text), lambda: text)
    writer.load(nothing)


def test_it_writes_no_oftener_than_the_interval() -> None:
    store, clock = CountingStore(), FakeClock()
    with writer_of(store, WritePolicy(interval=5.0), clock) as writer:
        writer.write_first("0", nothing)
        for second in range(1, 12):
            clock.now += 1.0
            offered(writer, str(second))
    assert store.saved == ["0", "5", "10"]


def test_while_a_write_is_under_way_no_other_begins(hanging: HangingStore) -> None:
    clock, rendered = FakeClock(), list[str]()

    def render() -> str:
        rendered.append("abc"[len(rendered)])
        return rendered[-1]

    with writer_of(hanging, WritePolicy(interval=0.0), clock) as writer:
        for _ in range(3):
            clock.now += 100.0
            writer.offer(1, render)
        hanging.let_go.set()
        writer.load(nothing)
    assert rendered == ["a"]
    assert hanging.text == "a"


@pytest.mark.parametrize("parts", [1, 100, 10_000])
def test_all_writes_together_cost_no_more_than_three_times_the_last_and_a_constant(parts: int) -> None:
    """10,000 parts, each asking for a write: rewriting the whole each time would be 1.6 GB."""
    policy, written, since_last = WritePolicy(), 0, 0.0
    size = 0
    for done in range(parts):
        size = 1000 + 33 * done
        since_last += 1.0
        if policy.due(since_last, written, size):
            written, since_last = written + size, 0.0
    written += size  # the flush at the end asks nobody
    assert written <= 3 * size + policy.slack


def test_a_long_upload_keeps_writing_as_it_grows() -> None:
    policy, written, sizes = WritePolicy(), 0, []
    for done in range(10_000):
        size = 1000 + 33 * done
        if policy.due(60.0, written, size):
            written += size
            sizes.append(size)
    assert sizes[-1] > 1000 + 33 * 5000  # the last write knows of more than half of the parts


@pytest.mark.parametrize("error", [RuntimeError("down"), OSError(28, "disk full"), SystemExit(1), KeyError("x")])
def test_a_raising_store_is_logged_once(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), writer_of(RaisingStore(error)) as writer:
        assert writer.load(nothing) is None
        writer.write_first("a", nothing)
        writer.check_ownership(nothing)
        writer.check()
        writer.flush("b")
        writer.delete(lambda: False)
    warnings_seen = [record.getMessage() for record in caplog.records]
    assert len(warnings_seen) == 1
    assert type(error).__name__ in warnings_seen[0]
    assert "the upload continues" in warnings_seen[0]


def test_an_error_of_the_database_does_not_show_the_checkpoint(caplog: pytest.LogCaptureFixture) -> None:
    error = RuntimeError("(sqlite3.OperationalError) database is locked\n[SQL: UPDATE]\n[parameters: ('the text',)]")
    with caplog.at_level(logging.WARNING), writer_of(RaisingStore(error)) as writer:
        writer.write_first("the text", nothing)
        writer.delete(lambda: False)  # the thread logs an error before it makes the next call
    [record] = caplog.records
    assert "database is locked; the upload continues" in record.getMessage()
    assert "the text" not in record.getMessage()


def test_a_store_that_recovered_is_logged_again_when_it_fails_again(caplog: pytest.LogCaptureFixture) -> None:
    class Flickering(MemoryStore):
        fails = True

        def save(self, text: str) -> None:
            if self.fails:
                raise RuntimeError("down")
            super().save(text)

    store = Flickering()
    with caplog.at_level(logging.WARNING), writer_of(store) as writer:
        writer.write_first("a", nothing)
        store.fails = False
        writer.flush("b")
        assert store.text == "b"
        store.fails = True
        writer.flush("c")
        # Logged on the store's thread, a moment after the flush; pytest's timeout ends this if it never is.
        while len(caplog.records) < 2:
            time.sleep(0.01)
    assert len(caplog.records) == 2


@pytest.mark.usefixtures("impatient")
def test_a_store_that_hangs_is_not_waited_for(hanging: HangingStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), writer_of(hanging) as writer:
        assert writer.load(nothing) is None
        writer.write_first("a", nothing)
        writer.flush("b")
        writer.delete(lambda: True)
    assert [record.getMessage() for record in caplog.records] == [
        "checkpoint store: no answer within 0 s; the upload continues, the next write retries"
    ]


def test_the_word_to_stop_is_heard_while_the_store_hangs(hanging: HangingStore) -> None:
    def stop() -> None:
        raise UploadCancelled("killed")

    with writer_of(hanging) as writer:
        with pytest.raises(UploadCancelled, match="killed"):
            writer.load(stop)
        with pytest.raises(UploadCancelled, match="killed"):
            writer.write_first("a", stop)


def test_the_word_to_stop_is_heard_though_the_store_answers_in_that_very_moment() -> None:
    answers = threading.Event()
    done = threading.Event()

    class Late(MemoryStore):
        def load(self) -> str | None:
            answers.wait(TEN_SECONDS)
            done.set()
            return "text"

    def stop() -> None:
        answers.set()
        done.wait(TEN_SECONDS)
        calls.is_settled.wait(TEN_SECONDS)
        raise UploadCancelled("killed")

    with closing(_WatchedCalls(StoreThread())) as calls, pytest.raises(UploadCancelled, match="killed"):
        calls.answer(calls.submit(Late().load), stop, lambda: TEN_SECONDS)


class _WatchedCalls(StoreCalls):
    """Store calls that signal that one has been answered."""

    def __init__(self, thread: StoreThread) -> None:
        super().__init__(thread)
        self.is_settled = threading.Event()

    def _note(self, future: object) -> None:
        super()._note(future)  # type: ignore[arg-type]
        self.is_settled.set()


def test_a_store_that_says_stop_stops_the_upload() -> None:
    with writer_of(RaisingStore(UploadCancelled("supervisor is gone"))) as writer:
        with pytest.raises(UploadCancelled, match="supervisor is gone"):
            writer.load(nothing)
        with pytest.raises(UploadCancelled, match="supervisor is gone"):
            writer.write_first("a", nothing)
        with pytest.raises(UploadCancelled, match="supervisor is gone"):
            writer.check()
        writer.flush("b")  # stopping already


def test_before_each_write_but_the_first_it_asks_whose_upload_it_is() -> None:
    store, seen = MemoryStore(), list[str | None]()
    store.text = "of an older try"

    def check_owner(text: str | None) -> None:
        seen.append(text)
        if text == "of a newer try":
            raise UploadCancelled("taken over")

    with writer_of(store, check_owner=check_owner) as writer:
        writer.write_first("ours", nothing)
        writer.check_ownership(nothing)
        store.text = "of a newer try"
        writer.flush("ours again")
        with pytest.raises(UploadCancelled, match="taken over"):
            writer.check_ownership(nothing)
    assert seen == ["ours", "of a newer try", "of a newer try"]
    assert store.text == "of a newer try"


class FullStore(MemoryStore):
    """A store that can be read but not written."""

    def save(self, text: str) -> None:
        raise OSError("no space left")


def test_what_was_there_at_the_start_is_of_no_other_writer() -> None:
    """Though the store takes nothing in its place; what comes after it is."""
    store, seen = FullStore(), list[str | None]()
    store.text = "of an earlier try"
    with writer_of(store, check_owner=seen.append) as writer:
        writer.load(nothing)
        writer.write_first("ours", nothing)
        writer.check_ownership(nothing)
        assert seen == []
        store.text = "of another try"
        writer.check_ownership(nothing)
    assert seen == ["of another try"]


def test_a_checkpoint_that_was_removed_stays_removed() -> None:
    """By a try that took this one for dead and is done: nobody would remove it a second time."""
    store = MemoryStore()
    with writer_of(store) as writer:
        writer.write_first("ours", nothing)
        store.delete()
        writer.flush("ours again")
    assert store.text is None
