"""The buffer that a thread keeps between two small bodies."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from airflow_provider_oss_resume.sources.part_body import BLOCK_SIZE, give_back, take_buffer


@pytest.fixture(autouse=True)
def _without_a_kept_buffer() -> Iterator[None]:
    take_buffer(0)
    yield
    take_buffer(0)


def test_a_buffer_that_was_given_back_is_taken_once() -> None:
    give_back(buffer := take_buffer(1000))
    assert take_buffer(900) is buffer
    assert take_buffer(900) is not buffer


def test_a_larger_body_gets_a_larger_buffer() -> None:
    give_back(take_buffer(1000))
    assert len(take_buffer(2000)) == 2000


def test_a_large_buffer_is_not_kept() -> None:
    give_back(buffer := take_buffer(10 * BLOCK_SIZE))
    assert len(buffer) == BLOCK_SIZE
    assert take_buffer(10 * BLOCK_SIZE) is not buffer


def test_another_thread_has_its_own() -> None:
    give_back(buffer := take_buffer(1000))
    taken: list[memoryview] = []
    thread = threading.Thread(target=lambda: taken.append(take_buffer(1000)))
    thread.start()
    thread.join()
    assert taken[0] is not buffer
    assert take_buffer(1000) is buffer
