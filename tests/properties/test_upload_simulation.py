"""A simulation: the real engine between a model bucket, a model store and a source that people edit.

Tries die before or after any request, replies are lost, the source is edited, the checkpoint lost, the upload
aborted, another try comes in between. Whatever happens: a success means that the object is the source, nothing is
sent that the bucket holds, and nothing but our own exceptions comes out. ``SOAK_STORIES=5000`` runs that
many stories, ``SOAK_SEED`` the same again.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airflow_provider_oss_resume.checkpoint import record as codec
from airflow_provider_oss_resume.checkpoint.record import ADOPTED, Checkpoint, OwnerProcess, decode
from airflow_provider_oss_resume.exceptions import CheckpointError, OSSResumeError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.upload import ObjectOptions, Owner, Uploader, UploadRequest, UploadResult, WritePolicy
from airflow_provider_oss_resume.upload.object_options import INITIATE
from tests.properties.upload_model import (
    Crash,
    Happening,
    ModelBucket,
    ModelClient,
    ModelObject,
    ModelSource,
    ModelStore,
    Process,
    ProcessStore,
)

STORIES = int(os.environ.get("SOAK_STORIES", "150"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or (1 if "CI" in os.environ else int.from_bytes(os.urandom(4), "big"))
PART = 102_400
KEY = "a.bin"
SIZES = [0, 7, PART, PART + 1, 3 * PART, 4 * PART + 9]
STEPS = st.integers(1, 14)

counted: Counter[str] = Counter()


@lru_cache(maxsize=64)
def block(version: int, number: int) -> bytes:
    return (f"{version}/{number};".encode() * PART)[:PART]


def content_of(versions: list[int], size: int) -> bytes:
    """Return a content whose parts have these versions."""
    return b"".join(block(version, number) for number, version in enumerate(versions))[:size]


@dataclass(frozen=True)
class Fate:
    """Say what shall happen at which request of a try."""

    dies_before: int = 0
    dies_after: int = 0
    failing: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()
    meanwhile: tuple[tuple[int, str], ...] = ()


FORGED = (
    st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([0, -1, 99, 2 * PART, "A" * 32, []])
)
MEANWHILE = ["edit", "resize", "abort upload", "lose checkpoint", "damage checkpoint", "store down", "another try"]
FEW_STEPS = st.frozensets(STEPS, max_size=2)
FATES = st.builds(
    Fate,
    dies_before=st.one_of(st.just(0), STEPS),
    dies_after=st.one_of(st.just(0), STEPS),
    failing=FEW_STEPS,
    lost=FEW_STEPS,
    meanwhile=st.lists(st.tuples(STEPS, st.sampled_from(MEANWHILE)), max_size=2).map(tuple),
)


class Simulation(RuleBasedStateMachine):
    """One key, one task, any number of tries."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket, self.store = ModelBucket(), ModelStore()
        self.versions = [0] * 5
        self.size = SIZES[-1]
        self.source = ModelSource(content_of(self.versions, self.size), "0")
        self.tries = 0
        self.processes = 0
        self.changes = 0
        self.metadata = "1"
        self.was_sneaky = False
        self.is_forged = False
        self.excused = 0

    @initialize(size=st.sampled_from(SIZES[3:]), strong=st.booleans())
    def begin(self, size: int, strong: bool) -> None:
        self.size, self.source.strong = size, strong
        self._write_source()

    # --- tries

    @rule(fate=FATES, threads=st.sampled_from([1, 1, 3]), verify=st.booleans(), may_list=st.booleans())
    def try_under_fate(self, fate: Fate, threads: int, verify: bool, may_list: bool) -> None:
        self.bucket.denies_listing = not may_list
        self._try(self.process(fate), threads, verify)
        self.bucket.denies_listing = False
        self.store.is_down = False

    @rule(verify=st.booleans())
    def try_undisturbed(self, verify: bool) -> None:
        self._succeed(verify)

    def _succeed(self, verify: bool = True) -> None:
        needed = self._needed()
        process = Process()
        result = self._try(process, 1, verify)
        assert result is not None, "a try that nothing disturbs succeeds"
        assert self.store.text is None
        if needed is not None:
            assert sorted(process.sent) == needed
        counted["undisturbed tries"] += 1

    @rule()
    def try_with_a_full_store(self) -> None:
        """It can be read, and takes nothing."""
        self.store.is_full = True
        self.excused += 1
        assert self._try(Process(), 1, verify=True) is not None, "a store that is full fails no upload"
        self.store.is_full = False
        counted["full stores"] += 1

    @rule()
    def run_is_made_anew(self) -> None:
        """Deleted and triggered again under its old id: its tries count from 1."""
        self.tries = 0

    @rule()
    def same_try_again(self) -> None:
        """As after a reschedule."""
        self.tries = max(0, self.tries - 1)

    def _try(self, process: Process, threads: int, verify: bool) -> UploadResult | None:
        self.tries += 1
        self.processes += 1
        before = self.source.content
        try:
            result = self._upload(process, threads, verify or self.was_sneaky)
        except Crash:
            counted["crashes"] += 1
            result = None
        except OSSResumeError as error:
            counted[f"ended with {type(error).__name__}"] += 1
            result = None
        if process.is_dead:
            result = None
        self.excused += process.initiated if result is None else max(0, process.initiated - 1)
        if result is not None:
            self._check_success(result, before)
        return result

    def _upload(self, process: Process, threads: int, verify: bool) -> UploadResult:
        running = OwnerProcess("model", self.processes, "gone", f"nonce {self.processes}")
        uploader = Uploader(
            cast("OSSClient", ModelClient(self.bucket, process)),
            ProcessStore(self.store, process),
            owner=Owner("d", "r", "t", -1, self.tries, running),
            write_policy=WritePolicy(interval=0.0),
        )
        return uploader.upload(
            UploadRequest(
                self.source,
                "examplebucket",
                KEY,
                part_size=PART,
                max_concurrency=threads,
                multipart_threshold=0,
                verify_resume=verify,
                options=self._options(),
            )
        )

    def _options(self) -> ObjectOptions:
        return ObjectOptions(metadata={"version": self.metadata})

    def _check_success(self, result: UploadResult, before: bytes) -> None:
        stored = self.bucket.object
        assert stored is not None
        assert stored.content == before, "success, and the object is not the source"
        assert (result.size, result.crc64) == (len(before), crc64(before))
        wanted = self._options().headers_for(INITIATE, KEY)
        assert {name: stored.headers.get(name) for name in wanted} == wanted, "the object has other headers"
        self.is_forged = False
        counted["successes"] += 1
        counted["resumed"] += result.resumed
        counted["recovered without checkpoint"] += result.recovered

    def _needed(self) -> list[int] | None:
        """Return the parts that the bucket lacks, where the checkpoint says which upload is meant."""
        checkpoint = None if self.is_forged else self._checkpoint()
        if checkpoint is None or checkpoint.upload_id not in self.bucket.uploads or not self.source.content:
            return None
        if checkpoint.options_digest.removeprefix(ADOPTED) != self._options().digest(KEY):
            return None
        held = self.bucket.uploads[checkpoint.upload_id].parts
        plan = PartPlan(len(self.source.content), checkpoint.part_size)
        return [
            part.number
            for part in plan
            if held.get(part.number) != self.source.content[part.offset : part.offset + part.length]
        ]

    def _checkpoint(self) -> Checkpoint | None:
        try:
            return decode(self.store.text) if self.store.text is not None else None
        except CheckpointError:
            return None

    # --- what happens meanwhile, and in between

    def process(self, fate: Fate) -> Process:
        """Return a process that has this fate."""
        happenings: dict[str, Happening] = {
            "edit": lambda: self.edit(1, sneaky=False),
            "resize": lambda: self.resize(SIZES[3]),
            "abort upload": self.abort_upload,
            "lose checkpoint": self.lose_checkpoint,
            "damage checkpoint": lambda: self.damage_checkpoint(0.5),
            "store down": self._store_down,
            "another try": self._another_try,
        }
        before = {step: happenings[what] for step, what in fate.meanwhile}
        return Process(before, fate.failing, fate.lost, fate.dies_before, fate.dies_after)

    def _another_try(self) -> None:
        """As after SIGSTOP: a newer try does all of it, then the older one comes back to life."""
        counted["another try in between"] += 1
        self.excused += 1
        self._try(Process(), 1, verify=True)

    def _store_down(self) -> None:
        self.store.is_down = True
        self.excused += 1
        counted["store down"] += 1

    @rule(number=st.integers(0, 4), sneaky=st.booleans())
    def edit(self, number: int, sneaky: bool) -> None:
        """Change a part's bytes; sneaky leaves size and times as they were."""
        self.changes += 1
        self.versions[number] += 1
        self._write_source(sneaky=sneaky and not self.source.strong)
        counted["edits"] += 1

    @rule()
    def put_back(self) -> None:
        """Put the first content back, with the times it had."""
        before = self.source.content
        self.versions = [0] * 5
        self._write_source(tag="0")
        # Times that come back with the content say no more about what was read meanwhile.
        self.was_sneaky = self.was_sneaky or (not self.source.strong and before != self.source.content)

    @rule(size=st.sampled_from(SIZES))
    def resize(self, size: int) -> None:
        self.size = size
        self._write_source()
        counted["resizes"] += 1

    def _write_source(self, *, sneaky: bool = False, tag: str = "") -> None:
        content = content_of(self.versions, self.size)
        if sneaky and len(content) == len(self.source.content):
            self.was_sneaky = self.was_sneaky or content != self.source.content
        elif self.source.strong:
            self.source.tag = str(crc64(content))
        else:
            self.changes += 1
            self.source.tag = tag or str(self.changes)
        self.source.content = content

    @rule()
    def abort_upload(self) -> None:
        """As a lifecycle rule does."""
        with self.bucket.lock:
            self.bucket.uploads.clear()
        counted["uploads aborted"] += 1

    @rule()
    def lose_checkpoint(self) -> None:
        self.excused += self.store.text is not None
        self.store.text = None
        counted["checkpoints lost"] += 1

    @rule(where=st.floats(0, 1, exclude_max=True))
    def damage_checkpoint(self, where: float) -> None:
        text = self.store.text
        if text:
            position = int(where * len(text))
            self.store.text = text[:position] + chr(ord(text[position]) ^ 1) + text[position + 1 :]
            self.excused += 1
            counted["checkpoints damaged"] += 1

    @precondition(lambda self: self._checkpoint() is not None)
    @rule(where=st.sampled_from(["", "fingerprint", "owner", "parts"]), which=st.integers(0, 30), value=FORGED)
    def forge_checkpoint(self, where: str, which: int, value: Any) -> None:
        """Another value in one field, under a hash that matches."""
        document = json.loads(str(self.store.text))
        holder = document["content"][where] if where else document["content"]
        holder[sorted(holder)[which % len(holder)]] = value
        document["sha256"] = codec._digest(codec._canonical(document["content"]))
        self.store.text = json.dumps(document)
        # Who has parts trusted without reading them again trusts the checkpoint, too.
        self.is_forged = self.was_sneaky = True
        self.excused += 1
        counted["checkpoints forged"] += 1

    @rule(number=st.integers(1, 5))
    def replace_part(self, number: int) -> None:
        """As a zombie that still sends does, or somebody with bad intentions."""
        for upload in self.bucket.uploads.values():
            if number in upload.parts:
                upload.parts[number] = bytes(len(upload.parts[number]))

    @rule(of_this_size=st.booleans())
    def put_another_object(self, of_this_size: bool) -> None:
        size = len(self.source.content) if of_this_size else 3
        self.bucket.object = ModelObject(b"x" * size, {})

    @rule(metadata=st.sampled_from("12"))
    def change_headers(self, metadata: str) -> None:
        self.metadata = metadata

    # --- what always holds

    @invariant()
    def no_upload_is_forgotten(self) -> None:
        checkpoint = self._checkpoint()
        named = {checkpoint.upload_id} if checkpoint else set()
        assert len(self.bucket.uploads.keys() - named) <= self.excused

    @invariant()
    def nothing_runs_on(self) -> None:
        counted["steps"] += 1
        for thread in threading.enumerate():
            if thread.name.startswith("oss-resume"):
                thread.join(10)
                assert not thread.is_alive(), thread.name

    def teardown(self) -> None:
        """No state is a dead end."""
        self._succeed()


def died_after_a_part(story: Simulation) -> None:
    story.begin(SIZES[-1], strong=False)
    story._try(Process(dies_after=4), 1, verify=True)


def lost_its_checkpoint(story: Simulation) -> None:
    died_after_a_part(story)
    story.lose_checkpoint()


def lost_its_checkpoint_and_got_other_headers(story: Simulation) -> None:
    lost_its_checkpoint(story)
    story.change_headers("2")


def was_edited(story: Simulation) -> None:
    died_after_a_part(story)
    story.edit(0, sneaky=True)


def was_edited_by_halves(story: Simulation) -> None:
    story.begin(SIZES[-1], strong=True)
    story._try(Process(dies_after=4), 1, verify=True)
    story.edit(0, sneaky=False)
    story._try(Process(failing=frozenset({3})), 1, verify=False)
    story.put_back()


def was_emptied(story: Simulation) -> None:
    died_after_a_part(story)
    story.resize(0)


def got_other_headers(story: Simulation) -> None:
    died_after_a_part(story)
    story.change_headers("2")


def was_aborted(story: Simulation) -> None:
    died_after_a_part(story)
    story.abort_upload()


def was_aborted_beside_another_object(story: Simulation) -> None:
    was_aborted(story)
    story.put_another_object(of_this_size=True)


def was_emptied_and_its_checkpoint_damaged(story: Simulation) -> None:
    was_emptied(story)
    story.damage_checkpoint(0.5)


def is_new(story: Simulation) -> None:
    story.begin(SIZES[-1], strong=False)


STARTS = [
    is_new,
    died_after_a_part,
    lost_its_checkpoint,
    lost_its_checkpoint_and_got_other_headers,
    was_edited,
    was_edited_by_halves,
    was_emptied,
    got_other_headers,
    was_aborted,
    was_aborted_beside_another_object,
    was_emptied_and_its_checkpoint_damaged,
]
ENDS = ["dies before", "dies after", "fails", "its answer is lost", *MEANWHILE]


@pytest.mark.parametrize("what", ENDS)
@pytest.mark.parametrize("start", STARTS)
def test_whatever_happens_at_whichever_request_the_next_try_succeeds(
    start: Callable[[Simulation], None], what: str
) -> None:
    """Every request of a try in turn is the one at which it happens."""
    undisturbed, whole = Simulation(), Process()
    start(undisturbed)
    undisturbed._try(whole, 1, verify=True)
    for step in range(1, whole.steps + 1):
        story, once = Simulation(), frozenset({step})
        start(story)
        fates = {
            "dies before": Fate(dies_before=step),
            "dies after": Fate(dies_after=step),
            "fails": Fate(failing=once),
            "its answer is lost": Fate(lost=once),
        }
        story._try(story.process(fates.get(what, Fate(meanwhile=((step, what),)))), 1, verify=False)
        story.store.is_down = False
        story.no_upload_is_forgotten()
        story.teardown()
        if (what in ("dies before", "dies after") and start is not was_emptied_and_its_checkpoint_damaged) or (
            what == "fails" and start not in (was_emptied, was_emptied_and_its_checkpoint_damaged)  # to abort it
        ):
            assert story.bucket.uploads == {}, "an upload is forgotten"


def test_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    counted.clear()
    calm = [HealthCheck.too_slow, HealthCheck.data_too_large]
    profile: Any = settings(max_examples=STORIES, stateful_step_count=12, suppress_health_check=calm, deadline=None)
    print(f"seed {SEED}")
    seed(SEED)(Simulation)
    run_state_machine_as_test(Simulation, settings=profile)  # type: ignore[no-untyped-call]
    with capsys.disabled():
        print(
            f"\nsimulation of {STORIES} stories, seed {SEED}: "
            + ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
        )
    assert min(counted["successes"], counted["crashes"], counted["resumed"]) > 0, "nothing happened"
