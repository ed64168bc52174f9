"""Operator arguments after Airflow rendered them: texts, or whatever a native template made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments import values as arguments
from airflow_provider_oss_resume.stores.choose_store import require_store
from airflow_provider_oss_resume.stores.memory import MemoryStore

MIB = 1024**2


@pytest.mark.parametrize(("given", "meant"), [(7, 7), ("7", 7), (" 7 ", 7), ("-1", -1)])
def test_whole_numbers(given: object, meant: int) -> None:
    assert arguments.whole_number("part_size", given) == meant


@pytest.mark.parametrize("given", [None, "", "  ", "None"])
def test_what_was_not_given_is_none_or_the_default(given: object) -> None:
    assert arguments.whole_number("part_size", given) is None
    assert arguments.number_or("max_concurrency", given, 4) == 4


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("given", [None, "", "  ", "None"])
def test_a_boolean_that_was_not_given_is_the_default(given: object, default: bool) -> None:
    assert arguments.truth_or("durable", given, default) is default
    assert arguments.truth_or("durable", str(not default), default) is not default


def test_a_number_with_too_many_digits_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"part_size is .*: it must be a whole number"):
        arguments.size_in_bytes("part_size", "9" * 5000)


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


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (8388608, 8 * MIB),
        ("8388608", 8 * MIB),
        ("8M", 8 * MIB),
        ("8MB", 8 * MIB),
        (" 8 MiB ", 8 * MIB),
        ("1g", 1024 * MIB),
    ],
)
def test_sizes(given: object, meant: int) -> None:
    """``part_size="8MB"`` was refused as no whole number (issue 8, B14)."""
    assert arguments.size_in_bytes("part_size", given) == meant
    assert arguments.size_or("part_size", None, 7) == 7


@pytest.mark.parametrize("given", ["8 XB", "-8M", "8.5M", "MiB"])
def test_what_is_no_size_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="it must be a number of bytes, such as 8388608 or '8MiB'"):
        arguments.size_in_bytes("part_size", given)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of the UPath below Airflow 2.11
def test_a_path_is_a_string_that_airflow_renders() -> None:
    """``Path("exports") / "{{ ds }}"`` was never rendered (issue 8, A5)."""
    assert arguments.renderable(Path("exports") / "{{ ds }}") == "exports/{{ ds }}"
    assert arguments.renderable(ObjectStoragePath("file:///exports/{{ ds }}")) == "file:///exports/{{ ds }}"
    assert arguments.renderable("{{ ds }}") == "{{ ds }}"


@pytest.mark.parametrize(
    ("given", "meant"), [("a", ["a"]), (["a", "b"], ["a", "b"]), (("a",), ["a"]), (iter(["a"]), ["a"])]
)
def test_keys(given: object, meant: list[str]) -> None:
    assert arguments.keys_of("keys", given) == meant


@pytest.mark.parametrize("given", ["", [], None, 5, ["a", ""], ["a", None], [5], {"a": 1}])
def test_what_is_no_list_of_keys_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=r"keys is .*: write a key, or a list of keys"):
        arguments.keys_of("keys", given)


def test_dicts() -> None:
    assert arguments.texts("metadata", {"owner": "sales"}) == {"owner": "sales"}
    assert arguments.texts("metadata", None) == {}
    assert arguments.mapping("callback", {"callbackUrl": "http://a", "callbackSNI": True}) is not None
    assert arguments.mapping("callback", "") is None


@pytest.mark.parametrize(
    ("read", "given", "said"),
    [
        (arguments.whole_number, "8 MiB", "arg is '8 MiB': it must be a whole number"),
        (arguments.whole_number, 8.5, "arg is 8.5: it must be a whole number"),
        (arguments.whole_number, True, "arg is True: it must be a whole number"),
        (arguments.truth, "yes", "arg is 'yes': it must be True or False"),
        (arguments.truth, 1, "arg is 1: it must be True or False"),
        (arguments.truth, None, "arg is None: it must be True or False"),
        (
            arguments.text,
            20260101,
            "arg is 20260101, of type int: it must be a string; if render_template",
        ),
        (arguments.path, ["/a", "/b"], "arg is ['/a', '/b'], of type list: it must be a string"),
        (arguments.path, os.environ, "it must be a string"),
        (arguments.mapping, "{'a': 'b'}", "arg is \"{'a': 'b'}\": it must be a dict"),
        (arguments.mapping, {1: "b"}, "arg is {1: 'b'}: it must be a dict whose keys are strings"),
        (arguments.texts, {"rows": 5}, "put quotes inside the string: \"'5'\""),
        (arguments.texts, {"rows": None}, "arg['rows'] is None: write a string, or leave it out"),
        (arguments.texts, {"rows": [1]}, "arg['rows'] is [1], of type list: it must be a string"),
        (arguments.require_callable, "print", "arg is 'print': it must be a function"),
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
