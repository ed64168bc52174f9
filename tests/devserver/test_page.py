"""docs/dev-server.md against the code it tells of."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from airflow_provider_oss_resume.devserver import FaultKind, FaultRule
from airflow_provider_oss_resume.devserver.__main__ import _parser
from airflow_provider_oss_resume.devserver.faults.plan import rules_of_json

PAGE = (Path(__file__).parents[2] / "docs" / "dev-server.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_every_option_is_on_the_page_and_no_other() -> None:
    known = {name for action in _parser()._actions for name in action.option_strings if name.startswith("--")}
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) == known - {"--help"}


def test_every_kind_of_fault_and_field_of_a_rule_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == {kind.value for kind in FaultKind}
    assert [one.name for one in fields(FaultRule) if f"`{one.name}`" not in PAGE] == ["kind"]


def test_the_plan_on_the_page_is_one() -> None:
    assert len(rules_of_json(json.loads(block("json")))) == 3


def test_the_code_on_the_page_does_what_it_says(tmp_path: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(block("python"), "docs/dev-server.md", "exec"), names)  # noqa: S102 - our own page
    run = names["upload_with_a_lost_reply"]
    assert callable(run)
    run(tmp_path)
