"""Which part a thread takes next."""

from __future__ import annotations

import threading

from airflow_provider_oss_resume.upload.work import Task, WorkQueue


def test_sending_comes_first() -> None:
    work = WorkQueue([4, 5], [1, 2])
    assert [work.take(may_send=True) for _ in range(4)] == [
        (Task.SEND, 4),
        (Task.SEND, 5),
        (Task.REHASH, 1),
        (Task.REHASH, 2),
    ]


def test_the_thread_that_only_proves_never_sends() -> None:
    work = WorkQueue([4], [1])
    assert work.take(may_send=False) == (Task.REHASH, 1)


def test_it_ends_when_all_is_settled() -> None:
    work = WorkQueue([4], [1])
    for _ in range(2):
        work.take(may_send=True)
        work.settle()
    assert work.take(may_send=True) is None
    assert work.take(may_send=False) is None


def test_without_work_it_ends_at_once() -> None:
    assert WorkQueue([], []).take(may_send=False) is None


def test_a_part_that_proved_different_is_sent() -> None:
    work = WorkQueue([], [1])
    work.take(may_send=False)
    work.send_instead(1)
    assert work.take(may_send=True) == (Task.SEND, 1)


def test_stop_hands_out_nothing_more() -> None:
    work = WorkQueue([1, 2], [3])
    work.stop()
    assert work.take(may_send=True) is None


class Waiter(threading.Thread):
    """A thread that takes one part, and says what it got."""

    def __init__(self, work: WorkQueue, *, may_send: bool) -> None:
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
    work = WorkQueue([1], [])
    work.take(may_send=True)
    waiters = [Waiter(work, may_send=may_send) for may_send in (True, False, True)]
    work.settle()
    assert [waiter.result() for waiter in waiters] == [None, None, None]


def test_a_part_given_back_wakes_a_sender_though_others_wait_too() -> None:
    work = WorkQueue([], [1])
    work.take(may_send=False)
    idle = [Waiter(work, may_send=False) for _ in range(3)]
    sender = Waiter(work, may_send=True)
    work.send_instead(1)
    assert sender.result() == (Task.SEND, 1)
    work.settle()
    assert [waiter.result() for waiter in idle] == [None] * 3


def test_stop_wakes_everybody() -> None:
    work = WorkQueue([1], [])
    work.take(may_send=True)
    waiters = [Waiter(work, may_send=True) for _ in range(3)]
    work.stop()
    assert [waiter.result() for waiter in waiters] == [None] * 3


def test_many_threads_settle_every_part_once() -> None:
    numbers = range(1, 2001)
    work = WorkQueue(numbers[::2], numbers[1::2])
    sent: list[int] = []
    proved: list[int] = []

    def run(may_send: bool) -> None:
        while (taken := work.take(may_send=may_send)) is not None:
            task, number = taken
            if task is Task.REHASH and number % 3 == 0:
                work.send_instead(number)
                continue
            (sent if task is Task.SEND else proved).append(number)
            work.settle()

    threads = [threading.Thread(target=run, args=(index > 0,), daemon=True) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert sorted(sent + proved) == list(numbers)
    assert sorted(proved) == [number for number in numbers[1::2] if number % 3]
