"""Which part a thread takes next."""

from __future__ import annotations

import threading

from airflow_provider_oss_resume.transfer.part_queue import PartQueue, Task


def test_sending_comes_first() -> None:
    work = PartQueue([4, 5], [1, 2])
    work.allow(2)
    assert [work.take(may_send=True) for _ in range(4)] == [
        (Task.SEND, 4),
        (Task.SEND, 5),
        (Task.REHASH, 1),
        (Task.REHASH, 2),
    ]


def test_the_thread_that_only_verifies_never_sends() -> None:
    work = PartQueue([4], [1])
    assert work.take(may_send=False) == (Task.REHASH, 1)


def test_it_ends_when_all_is_settled() -> None:
    work = PartQueue([4], [1])
    for number in (4, 1):
        work.take(may_send=True)
        assert work.settle(number)
    assert work.take(may_send=True) is None
    assert work.take(may_send=False) is None


def test_without_work_it_ends_at_once() -> None:
    assert PartQueue([], []).take(may_send=False) is None


def test_a_part_that_differs_is_sent() -> None:
    work = PartQueue([], [1])
    work.take(may_send=False)
    work.send_instead(1)
    assert work.take(may_send=True) == (Task.SEND, 1)


def test_stop_hands_out_nothing_more() -> None:
    work = PartQueue([1, 2], [3])
    work.stop()
    assert work.take(may_send=True) is None


class Waiter(threading.Thread):
    """A thread that takes one part, and says what it got."""

    def __init__(self, work: PartQueue, *, may_send: bool) -> None:
        super().__init__(daemon=True)
        self._work, self._may_send = work, may_send
        self.got: object = "nothing yet"
        self.start()

    def run(self) -> None:
        self.got = self._work.take(may_send=self._may_send)

    def result(self) -> object:
        self.join(10)
        return self.got


def test_waiting_threads_wake_when_the_last_part_is_settled() -> None:
    work = PartQueue([1], [])
    work.take(may_send=True)
    waiters = [Waiter(work, may_send=may_send) for may_send in (True, False, True)]
    work.settle(1)
    assert [waiter.result() for waiter in waiters] == [None, None, None]


def test_a_part_given_back_wakes_a_sender_though_others_wait_too() -> None:
    work = PartQueue([], [1])
    work.take(may_send=False)
    idle = [Waiter(work, may_send=False) for _ in range(3)]
    sender = Waiter(work, may_send=True)
    work.send_instead(1)
    assert sender.result() == (Task.SEND, 1)
    work.settle(1)
    assert [waiter.result() for waiter in idle] == [None] * 3


def test_stop_wakes_everybody() -> None:
    work = PartQueue([1], [])
    work.take(may_send=True)
    waiters = [Waiter(work, may_send=True) for _ in range(3)]
    work.stop()
    assert [waiter.result() for waiter in waiters] == [None] * 3


def test_many_threads_settle_every_part_once() -> None:
    numbers = range(1, 2001)
    work = PartQueue(numbers[::2], numbers[1::2], limit=5)
    sent: list[int] = []
    verified: list[int] = []

    def run(may_send: bool) -> None:
        while (taken := work.take(may_send=may_send)) is not None:
            task, number = taken
            if task is Task.REHASH and number % 3 == 0:
                work.send_instead(number)
                continue
            (sent if task is Task.SEND else verified).append(number)
            work.settle(number)
            if task is Task.SEND:
                work.end_sending()

    threads = [threading.Thread(target=run, args=(index > 0,), daemon=True) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(sent + verified) == list(numbers)
    assert sorted(verified) == [number for number in numbers[1::2] if number % 3]


def test_no_more_parts_are_sent_at_once_than_allowed() -> None:
    work = PartQueue([1, 2, 3], [], limit=2)
    assert [work.take(may_send=True) for _ in range(2)] == [(Task.SEND, 1), (Task.SEND, 2)]
    third = Waiter(work, may_send=True)
    third.join(0.05)
    assert third.is_alive()
    work.allow(3)
    assert third.result() == (Task.SEND, 3)


def test_a_lowered_limit_holds_back_whoever_ends_first() -> None:
    work = PartQueue([1, 2, 3], [], limit=2)
    for _ in range(2):
        work.take(may_send=True)
    work.allow(1)
    work.settle(1)
    work.end_sending()
    waiting = Waiter(work, may_send=True)
    waiting.join(0.05)
    assert waiting.is_alive(), "one is still being sent, and one is the limit"
    work.stop()
    assert waiting.result() is None


def test_a_late_part_is_sent_by_a_second_thread_and_settled_once() -> None:
    work = PartQueue([1], [], limit=2)
    work.take(may_send=True)
    idle = Waiter(work, may_send=True)
    assert work.hedge(1)
    assert work._next(may_send=False) is None, "not by the thread that only re-hashes"
    assert idle.result() == (Task.SEND, 1)
    assert not work.hedge(1), "no third time"
    assert not work.is_settled(1)
    assert work.settle(1)
    assert work.is_settled(1)
    assert not work.settle(1), "the slower one learns that it was"
    assert work.take(may_send=True) is None


def test_a_late_part_that_arrived_meanwhile_is_not_sent_again() -> None:
    work = PartQueue([1, 2], [], limit=3)
    for _ in range(2):
        work.take(may_send=True)
    work.hedge(1)
    work.settle(1)
    waiting = Waiter(work, may_send=True)
    waiting.join(0.05)
    assert waiting.is_alive()
    work.settle(2)
    assert waiting.result() is None


def test_a_sending_that_fails_leaves_the_part_to_the_other_and_that_is_the_last() -> None:
    work = PartQueue([1], [], limit=2)
    work.take(may_send=True)
    work.hedge(1)
    work.take(may_send=True)
    assert work.give_up(1)
    work.end_sending()
    assert not work.hedge(1), "in an outage two would take turns for ever"
    assert not work.give_up(1)


def test_a_part_sent_once_is_left_to_nobody() -> None:
    work = PartQueue([1], [], limit=2)
    work.take(may_send=True)
    assert not work.give_up(1)


def test_an_open_queue_waits_for_more_parts() -> None:
    parts = PartQueue([], [], is_open=True)
    waiter = Waiter(parts, may_send=True)
    parts.add(1)
    waiter.join(5)
    assert waiter.got == (Task.SEND, 1)


def test_a_closed_queue_ends_when_its_last_part_is_settled() -> None:
    parts = PartQueue([], [], is_open=True)
    parts.add(1)
    assert parts.take(may_send=True) == (Task.SEND, 1)
    waiter = Waiter(parts, may_send=True)
    assert parts.settle(1)
    waiter.join(0.2)
    assert waiter.is_alive(), "more parts may come"
    parts.close()
    waiter.join(5)
    assert waiter.got is None
