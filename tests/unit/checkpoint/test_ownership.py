"""Who owns an upload, and whether its process is alive."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.checkpoint.ownership import (
    check_not_newer,
    check_same_task,
    check_still_ours,
    is_alive,
    is_same_try_elsewhere,
    this_process,
)
from airflow_provider_oss_resume.checkpoint.record import Owner, OwnerProcess, encode
from airflow_provider_oss_resume.exceptions import ConfigurationError, UploadTakenOver
from tests.unit.upload.samples import checkpoint_of

OURS = this_process(Owner(try_number=2))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def with_process(owner: Owner, **changes: Any) -> Owner:
    return replace(owner, process=replace(owner.process, **changes))


def text_of(owner: Owner) -> str:
    return encode(checkpoint_of(owner=owner))


def test_an_owner_is_this_process_unless_it_says_otherwise() -> None:
    assert (OURS.process.host, OURS.process.pid) == (socket.gethostname(), os.getpid())
    theirs = Owner(process=OwnerProcess("h", 7, "1", "n"))
    assert this_process(theirs) == theirs
    assert this_process(Owner()).process.nonce != this_process(Owner()).process.nonce


def test_a_running_process_is_alive_and_an_ended_one_is_not() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = this_process(Owner(process=OwnerProcess(pid=process.pid, nonce="theirs")))
    assert is_alive(owner)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie now, not reaped
    assert not is_alive(owner)
    process.communicate()
    assert not is_alive(owner)


def test_another_process_with_the_same_number_is_another() -> None:
    assert not is_alive(with_process(OURS, process_start="1"))


def test_on_another_host_nothing_can_be_verified() -> None:
    assert not is_alive(with_process(OURS, host="elsewhere"))


def test_a_released_owner_is_not_waited_for() -> None:
    assert not is_alive(with_process(OURS, process_start=""))
    with subprocess.Popen(["true"]) as ended:
        pass
    assert not is_alive(with_process(OURS, process_start="", pid=ended.pid)), "two unknown times are not the same time"


def test_a_process_may_have_any_name() -> None:
    code = "open('/proc/self/comm', 'wb').write(b'\\xff) R 1 (x'); print(flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    theirs = this_process(Owner(process=OwnerProcess(pid=process.pid)))
    assert theirs.process.process_start.isdecimal()
    assert int(theirs.process.process_start) >= int(OURS.process.process_start)
    assert is_alive(theirs)
    process.communicate(b"\n")


def test_only_another_living_process_of_the_same_try_is_the_same_try_elsewhere(
    child: subprocess.Popen[bytes],
) -> None:
    theirs = this_process(Owner(try_number=2, process=OwnerProcess(pid=child.pid)))
    assert is_same_try_elsewhere(theirs, OURS)
    assert not is_same_try_elsewhere(replace(theirs, try_number=1), OURS)
    assert not is_same_try_elsewhere(with_process(theirs, process_start="1"), OURS)
    assert not is_same_try_elsewhere(with_process(OURS, nonce="an earlier upload of this process"), OURS)


@pytest.mark.parametrize(
    "gone", [{"process_start": ""}, {"process_start": "1"}, {"host": "elsewhere"}], ids=["released", "dead", "unknown"]
)
def test_a_newer_try_that_is_not_there_any_more_stops_nobody(gone: dict[str, str]) -> None:
    """A DAG run that is deleted and made anew counts its tries from 1 again, and its Variable is still there."""
    check_not_newer(with_process(replace(OURS, try_number=7), **gone), OURS)


def test_a_store_that_another_living_task_uses_is_refused_and_one_it_left_is_not() -> None:
    other = with_process(replace(OURS, map_index=3), nonce="another")
    with pytest.raises(ConfigurationError, match=r"in use by try 2 .* map index 3: pass a store of its own"):
        check_same_task(other, OURS)
    check_same_task(with_process(other, process_start=""), OURS)
    check_same_task(with_process(replace(OURS, try_number=1), nonce="another"), OURS)


def test_an_older_try_does_not_begin_beside_a_newer_one() -> None:
    check_not_newer(replace(OURS, try_number=1), OURS)
    check_not_newer(OURS, OURS)
    with pytest.raises(UploadTakenOver, match=r"try 3 .* is newer than try 2 "):
        check_not_newer(replace(OURS, try_number=3), OURS)


@pytest.mark.parametrize("text", [None, "", "{}", "damaged"])
def test_a_checkpoint_that_says_nothing_stops_nobody(text: str | None) -> None:
    check_still_ours(text, OURS)


def test_only_a_newer_owner_stops_us() -> None:
    check_still_ours(text_of(OURS), OURS)
    check_still_ours(
        text_of(with_process(replace(OURS, try_number=1), nonce="other")), OURS
    )  # a late write of an older try
    for try_number in (2, 3):
        with pytest.raises(UploadTakenOver, match=f"try {try_number} .* took this upload over from try 2"):
            check_still_ours(text_of(with_process(replace(OURS, try_number=try_number), nonce="other")), OURS)
