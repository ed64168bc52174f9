"""What every checkpoint store must do, wherever it keeps the text.

Each case gets a store that holds nothing and may leave anything in it. The Airflow stores are put to it inside real
task instances (tests/airflow/test_stores.py), so a case must neither print nor need a fixture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_provider_oss_resume.checkpoint.store import CheckpointStore

LARGE = "0123456789abcdef" * 25 * 1024  # 400 KB: a checkpoint of 10,000 parts
WILD = 'Größe 大きさ \U0001f4be "quoted" {{ not.a_template }} \\n \x7f\n\t%s'


def nothing_is_loaded_at_first(store: CheckpointStore) -> None:
    assert store.load() is None


def a_saved_text_is_loaded(store: CheckpointStore) -> None:
    store.save("one")
    assert store.load() == "one"


def the_last_text_counts(store: CheckpointStore) -> None:
    for text in ("one", "two, and longer", "3"):
        store.save(text)
    assert store.load() == "3"


def the_same_text_may_be_saved_again(store: CheckpointStore) -> None:
    store.save("same")
    store.save("same")
    assert store.load() == "same"


def a_large_text_comes_back_whole(store: CheckpointStore) -> None:
    store.save("small")
    store.save(LARGE)
    assert store.load() == LARGE


def any_letter_comes_back(store: CheckpointStore) -> None:
    store.save(WILD)
    assert store.load() == WILD


def text_that_looks_like_json_stays_text(store: CheckpointStore) -> None:
    for text in ('{"schema": 1, "upload_id": "x"}', "null", "[]", "17", "true"):
        store.save(text)
        assert store.load() == text


def a_deleted_text_is_gone(store: CheckpointStore) -> None:
    store.save("one")
    store.delete()
    assert store.load() is None


def nothing_can_be_deleted(store: CheckpointStore) -> None:
    store.delete()
    store.delete()
    assert store.load() is None


def a_deleted_text_can_be_saved_again(store: CheckpointStore) -> None:
    store.save("one")
    store.delete()
    store.save("two")
    assert store.load() == "two"


def any_thread_may_call(store: CheckpointStore) -> None:
    loaded: list[str | None] = []

    def use() -> None:
        store.save("by another thread")
        loaded.append(store.load())

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert loaded == ["by another thread"]
    assert store.load() == "by another thread"


CASES: dict[str, Callable[[CheckpointStore], None]] = {
    case.__name__: case
    for case in (
        nothing_is_loaded_at_first,
        a_saved_text_is_loaded,
        the_last_text_counts,
        the_same_text_may_be_saved_again,
        a_large_text_comes_back_whole,
        any_letter_comes_back,
        text_that_looks_like_json_stays_text,
        a_deleted_text_is_gone,
        nothing_can_be_deleted,
        a_deleted_text_can_be_saved_again,
        any_thread_may_call,
    )
}
