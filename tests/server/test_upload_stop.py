"""A stop request, or a store that misbehaves: the try ends quickly and in order, and the upload is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint import writer
from airflow_provider_oss_resume.devserver import FaultKind, FaultMoment
from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.oss import Credentials
from airflow_provider_oss_resume.oss.limits import MIB
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Cancel, UploadRequest
from tests.server.conftest import KEYS, ClientFactory
from tests.server.uploads import BUCKET, PART, PARTS, Scene, content, with_store

WITHIN = 5.0
"""Seconds from Airflow's SIGTERM to its SIGKILL."""

PHASES = {
    "initiating": ("InitiateMultipartUpload", {}),
    "sending": ("UploadPart", {"part_number": 4}),
    "completing": ("CompleteMultipartUpload", {}),
    "proving": ("HeadObject", {}),
}

BEFORE = {
    "UploadPart": ("UploadPart", 3),
    "CompleteMultipartUpload": ("UploadPart", PARTS),
    "HeadObject": ("CompleteMultipartUpload", 1),
}
"""What must have been answered how often for an operation to be under way; for the others nothing."""


class Stopper:
    """Ask an upload to stop a moment after the operation before a certain one was answered."""

    def __init__(self, scene: Scene, operation: str, **options: Any) -> None:
        self.cancel, self.asked_at = Cancel(), 0.0
        self._scene, self._options = scene, options
        self._before = BEFORE.get(operation, ("", 0))
        self._due: float | None = None

    def watch(self) -> None:
        operation, count = self._before
        if self._due is None and self._scene.count(operation) >= count:
            self._due = time.monotonic() + 0.3
        if not self.asked_at and self._due is not None and time.monotonic() >= self._due:
            self.asked_at = time.monotonic()
            self.cancel.request("killed by a person", **self._options)


def no_threads_left() -> bool:
    """Return whether the engine's threads end, those waiting for the slow server's last word included."""
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("oss-resume") for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop_in(scene: Scene, operation: str, threshold: int = 0, threads: int = 1, **options: Any) -> float:
    """Stop a try during an operation, and return the seconds until it ended."""
    stopper = Stopper(scene, operation, **options)
    request = UploadRequest(scene.file, BUCKET, scene.key, PART, threads, threshold)
    with pytest.raises(UploadCancelled, match="killed by a person"):
        scene.uploader(watch=stopper.watch).upload(request, stopper.cancel)
    return time.monotonic() - stopper.asked_at


@pytest.mark.parametrize("phase", PHASES)
def test_it_stops_in_every_phase_and_the_next_try_resumes(scene: Scene, phase: str) -> None:
    operation, which = PHASES[phase]
    scene.fault(FaultKind.DELAY, operation, seconds=8.0, **which)
    assert stop_in(scene, operation) < WITHIN
    assert no_threads_left()
    scene.server.clear_requests()
    result = scene.upload()
    scene.assert_done(result)
    sent = {"initiating": range(1, 9), "sending": range(4, 9), "completing": (), "proving": ()}[phase]
    assert scene.sent() == list(sent)


@pytest.mark.parametrize("phase", ["initiating", "sending", "completing"])
def test_a_stop_that_discards_leaves_nothing(scene: Scene, phase: str) -> None:
    operation, which = PHASES[phase]
    scene.fault(FaultKind.DELAY, operation, seconds=1.0, when=FaultMoment.AFTER, **which)
    assert stop_in(scene, operation, discard=True) < WITHIN
    assert no_threads_left()
    assert scene.store.text is None
    assert [one for one in scene.uploads_left() if scene.parts_left(one)] == []


def test_it_stops_while_it_sends_one_request(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "PutObject", seconds=8.0)
    assert stop_in(scene, "PutObject", threshold=MIB) < WITHIN
    assert no_threads_left()


def test_it_stops_while_it_asks_for_the_parts(scene: Scene) -> None:
    scene.stop_after(3)
    scene.fault(FaultKind.DELAY, "ListParts", seconds=8.0)
    before = scene.store.text
    assert stop_in(scene, "ListParts") < WITHIN
    assert scene.store.text == before
    scene.assert_done(scene.upload())


def test_it_stops_while_it_waits_to_try_again(scene: Scene) -> None:
    scene.fail("UploadPart", 503, "ServiceUnavailable", headers={"x-oss-qos-delay-time": "15000"}, part_number=4)
    assert stop_in(scene, "UploadPart") < WITHIN
    assert [part.number for part in scene.checkpoint.parts] == [1, 2, 3]


def test_a_kill_while_a_hand_over_waits_for_its_parts_cuts_them(scene: Scene) -> None:
    """Airflow 3 kills the process 5 s after it asks, however long the parts of the deadline's hand-over may take."""
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=60.0, count=None)
    cancel = Cancel()
    asked = time.monotonic() + 1.5
    threading.Timer(0.5, lambda: cancel.request("the deadline is near", grace=300.0)).start()
    threading.Timer(1.5, lambda: cancel.request("on_kill", grace=1.0)).start()
    with pytest.raises(UploadCancelled):
        scene.upload(cancel=cancel, max_concurrency=2)
    assert time.monotonic() - asked < 5


def test_parts_that_finish_in_the_grace_are_recorded(scene: Scene) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.7, part_number=4)
    stop_in(scene, "UploadPart")
    assert [part.number for part in scene.checkpoint.parts] == [1, 2, 3, 4]


def test_many_slow_parts_are_cut(scene: Scene) -> None:
    scene.fault(FaultKind.THROTTLE, "UploadPart", count=None, bytes_per_second=5000.0)
    scene.file.write_bytes(content(40 * PART))
    stopper = Stopper(scene, "ListParts")
    request = UploadRequest(scene.file, BUCKET, scene.key, PART, 8, 0)
    with pytest.raises(UploadCancelled):
        scene.uploader(watch=stopper.watch).upload(request, stopper.cancel)
    assert time.monotonic() - stopper.asked_at < WITHIN
    assert no_threads_left()


def test_an_outage_does_not_hold_up_a_kill_that_discards(scene: Scene) -> None:
    scene.fault(FaultKind.RESET, "AbortMultipartUpload", count=None)
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=8.0, part_number=4)
    assert stop_in(scene, "UploadPart", discard=True) < WITHIN
    assert no_threads_left()


def test_what_the_watch_raises_stops_the_upload_and_keeps_the_parts(scene: Scene) -> None:
    class Timeout(BaseException):
        """As Airflow's, which is no Exception either."""

    def watch() -> None:
        if scene.count("UploadPart") >= 3:
            raise Timeout

    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.3, part_number=4)
    with pytest.raises(Timeout):
        scene.uploader(watch=watch).upload(UploadRequest(scene.file, BUCKET, scene.key, PART, 1, 0))
    assert [part.number for part in scene.checkpoint.parts][:3] == [1, 2, 3]
    scene.server.clear_requests()
    scene.assert_done(scene.upload())
    assert len(scene.sent()) <= PARTS - 3


# --- stores


class Impatient(Cancel):
    """A person who presses Ctrl-C once more while parts under way get to finish."""

    @property
    def grace(self) -> float:
        raise KeyboardInterrupt

    @grace.setter
    def grace(self, seconds: float) -> None:
        """Whatever it is, it is too long."""


def still_sending() -> bool:
    return any(thread.name == "oss-resume-part" and thread.is_alive() for thread in threading.enumerate())


def test_interrupted_twice_it_still_cuts_what_is_under_way(scene: Scene) -> None:
    """Else a part would arrive when the upload has been aborted, and nobody would ever look for it."""
    assert no_threads_left()
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=2, seconds=8.0)
    cancel = Impatient()
    request = scene.request()

    def watch() -> None:
        if scene.count("UploadPart"):
            cancel.request("Ctrl-C")

    with pytest.raises(KeyboardInterrupt):
        scene.uploader(watch=watch).upload(request, cancel)
    assert not still_sending()


def test_interrupted_while_it_starts_a_thread_it_leaves_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_threads_left()
    scene.fault(FaultKind.DELAY, "UploadPart", part_number=1, seconds=8.0)
    start = threading.Thread.start

    def start_and_strike(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "oss-resume-part":
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start_and_strike)
    with pytest.raises(KeyboardInterrupt):
        scene.upload()
    assert not still_sending()


class Misbehaving(MemoryStore):
    """A store that fails some calls in some way."""

    def __init__(self, misbehave: Callable[[], None], calls: str) -> None:
        super().__init__()
        self._misbehave, self._calls = misbehave, calls.split()

    def load(self) -> str | None:
        self._perhaps("load")
        return super().load()

    def save(self, text: str) -> None:
        self._perhaps("save")
        super().save(text)

    def delete(self) -> None:
        self._perhaps("delete")
        super().delete()

    def _perhaps(self, call: str) -> None:
        if call in self._calls:
            self._misbehave()


def raise_it() -> None:
    raise ConnectionError("the metadata database is locked")


@pytest.fixture
def hang() -> Iterator[Callable[[], None]]:
    let_go = threading.Event()

    def wait() -> None:
        let_go.wait(30)

    yield wait
    let_go.set()


class Empty(MemoryStore):
    """A store that counts what is in it, as one made of a dict does."""

    def __len__(self) -> int:
        return 0 if self.text is None else 1


def test_a_store_that_is_empty_is_a_store(scene: Scene) -> None:
    other = with_store(scene, Empty())
    other.stop_after(3)
    assert len(other.store) == 1
    assert other.upload().parts_reused == 3


@pytest.mark.parametrize("calls", ["load", "save", "delete", "load save delete"])
def test_a_store_that_raises_does_not_fail_the_upload(scene: Scene, calls: str) -> None:
    scene.upload()
    other = with_store(scene, Misbehaving(raise_it, calls))
    assert other.upload().parts == PARTS
    assert other.stored() == content()
    assert other.uploads_left() == []


@pytest.mark.parametrize("calls", ["load", "save", "delete", "load save delete"])
def test_a_store_that_hangs_does_not_fail_the_upload(
    scene: Scene, calls: str, hang: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOAD_TIMEOUT", "FIRST_WRITE_TIMEOUT", "FLUSH_TIMEOUT", "DISCARD_TIMEOUT"):
        monkeypatch.setattr(writer, name, 0.2)
    other = with_store(scene, Misbehaving(hang, calls))
    assert other.upload().parts == PARTS
    assert other.stored() == content()
    assert other.uploads_left() == []


def test_a_store_that_fails_while_stopping_does_not_change_the_reason(scene: Scene) -> None:
    other = with_store(scene, Misbehaving(raise_it, "save"))
    other.stop_after(3)  # which checks the error
    assert other.parts_left(other.uploads_left()[0]) == [1, 2, 3]
    other.assert_done(other.upload())
    assert other.sent() == [4, 5, 6, 7, 8]


def test_a_store_that_hangs_does_not_hold_up_a_kill(scene: Scene, hang: Callable[[], None]) -> None:
    class HangsLater(MemoryStore):
        saves = 0

        def save(self, text: str) -> None:
            self.saves += 1
            if self.saves > 1:
                hang()
            super().save(text)

    other = with_store(scene, HangsLater())
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=8.0, part_number=4)
    assert stop_in(other, "UploadPart") < WITHIN


class HangingKeys:
    """A credentials provider that hangs once so many parts were answered: no cut of a socket wakes its threads."""

    def __init__(self, scene: Scene, parts: int, hang: Callable[[], None]) -> None:
        self.askers: list[str] = []
        self._scene, self._parts, self._hang = scene, parts, hang

    def get_credentials(self) -> Credentials:
        if self._scene.count("UploadPart") >= self._parts:
            self.askers.append(threading.current_thread().name)
            self._hang()
        return KEYS


@pytest.mark.parametrize(("operation", "parts"), [("UploadPart", 3), ("CompleteMultipartUpload", PARTS)])
def test_nothing_that_hangs_holds_up_a_kill_that_discards(
    scene: Scene, make_client: ClientFactory, hang: Callable[[], None], operation: str, parts: int
) -> None:
    """The longest way to stop: the operation, the abort and the delete of the checkpoint get no answer."""
    keys = HangingKeys(scene, parts, hang)

    def hang_in_delete() -> None:
        keys.askers.append("delete")
        hang()

    other = replace(scene, client=make_client(scene.server.url, keys), store=Misbehaving(hang_in_delete, "delete"))
    assert stop_in(other, operation, discard=True) < WITHIN
    assert keys.askers[-2:] == ["oss-resume-abort", "delete"]
    assert len(keys.askers) == 3  # the operation hung


def test_a_kill_does_not_wait_for_the_store_once_the_object_is_there(scene: Scene, hang: Callable[[], None]) -> None:
    cancel, asked_at = Cancel(), list[float]()

    def kill_and_hang() -> None:
        asked_at.append(time.monotonic())
        cancel.request("killed by a person")
        hang()

    other = with_store(scene, Misbehaving(kill_and_hang, "delete"))
    assert other.upload(cancel=cancel).parts == PARTS
    assert time.monotonic() - asked_at[0] < WITHIN
    assert other.stored() == content()


def test_a_store_that_says_this_process_is_an_orphan_stops_it(scene: Scene) -> None:
    class Orphaned(MemoryStore):
        saves = 0

        def save(self, text: str) -> None:
            self.saves += 1
            if self.saves > 1:
                raise UploadCancelled("the supervisor is gone")
            super().save(text)

    other = with_store(scene, Orphaned())
    scene.fault(FaultKind.DELAY, "UploadPart", count=None, seconds=0.1)
    with pytest.raises(UploadCancelled, match="the supervisor is gone"):
        other.upload()
    assert not scene.exists()
