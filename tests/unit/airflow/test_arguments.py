"""Operator arguments after Airflow rendered them: texts, or whatever a native template made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators import arguments
from airflow_provider_oss_resume.stores.choose import require_store
from airflow_provider_oss_resume.stores.memory import MemoryStore


@pytest.mark.parametrize(("given", "meant"), [(7, 7), ("7", 7), (" 7 ", 7), ("-1", -1)])
def test_whole_numbers(given: object, meant: int) -> None:
    assert arguments.whole_number("part_size", given) == meant


@pytest.mark.parametrize("given", [None, "", "  ", "None"])
def test_what_was_not_given_is_none_or_the_default(given: object) -> None:
    assert arguments.whole_number("part_size", given) is None
    assert arguments.number_or("max_concurrency", given, 4) == 4


def test_zero_is_not_the_default() -> None:
    assert arguments.number_or("multipart_threshold", "0", 4) == 0


@pytest.mark.parametrize(
    ("given", "meant"), [(True, True), (False, False), ("True", True), ("false", False), (" FALSE ", False)]
)
def test_truths(given: object, meant: bool) -> None:
    assert arguments.truth("replace", given) is meant


@pytest.mark.parametrize(("given", "meant"), [("IA", "IA"), ("", None), ("None", None), (None, None), (" ", " ")])
def test_texts(given: object, meant: str | None) -> None:
    assert arguments.text("acl", given) == meant


def test_paths() -> None:
    assert arguments.path("source", Path("/exports/a b")) == "/exports/a b"
    assert arguments.path("source", "/exports/a b") == "/exports/a b"
    assert arguments.path("source", None) == ""


def test_dicts() -> None:
    assert arguments.texts("metadata", {"owner": "sales"}) == {"owner": "sales"}
    assert arguments.texts("metadata", None) == {}
    assert arguments.mapping("callback", {"callbackUrl": "http://a", "callbackSNI": True}) is not None
    assert arguments.mapping("callback", "") is None


@pytest.mark.parametrize(
    ("read", "given", "said"),
    [
        (arguments.whole_number, "8 MiB", "arg is '8 MiB': give a whole number"),
        (arguments.whole_number, 8.5, "arg is 8.5: give a whole number"),
        (arguments.whole_number, True, "arg is True: give a whole number"),
        (arguments.truth, "yes", "arg is 'yes': give True or False"),
        (arguments.truth, 1, "arg is 1: give True or False"),
        (arguments.truth, None, "arg is None: give True or False"),
        (arguments.text, 20260101, "arg is 20260101, a int: give a text; where render_template_as_native_obj"),
        (arguments.path, ["/a", "/b"], "arg is ['/a', '/b'], a list: give a text"),
        (arguments.path, os.environ, "give a text"),
        (arguments.mapping, "{'a': 'b'}", "arg is \"{'a': 'b'}\": give a dict"),
        (arguments.mapping, {1: "b"}, "arg is {1: 'b'}: give a dict with texts as keys"),
        (arguments.texts, {"rows": 5}, "arg['rows'] is 5: give a text, such as '5'"),
        (arguments.texts, {"rows": None}, "arg['rows'] is None: give a text, or leave it out"),
        (arguments.texts, {"rows": [1]}, "arg['rows'] is [1]: give a text"),
        (arguments.require_callable, "print", "arg is 'print': give a function"),
    ],
)
def test_anything_else_is_refused_by_name(read: Any, given: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("arg", given)
    assert said in str(caught.value)


@pytest.mark.parametrize("wanted", ["auto", "variable", MemoryStore()])
def test_stores(wanted: object) -> None:
    require_store(wanted)


@pytest.mark.parametrize("wanted", ["redis", "", None, MemoryStore, object()])
def test_what_is_no_store_is_refused(wanted: object) -> None:
    with pytest.raises(ConfigurationError, match="unknown checkpoint_store") as caught:
        require_store(wanted)
    assert "or an object with load(), save(text) and delete()" in str(caught.value)
