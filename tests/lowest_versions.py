"""The versions that `make test-lowest` runs on: the floors of pyproject.toml, and what constraints/lowest.txt pins.

No other environment has them, so the file's name keeps pytest from finding it. Without this check, an upgrade while
the environment is installed turns the target into one more run on the newest versions, and all of it passes.
"""

from __future__ import annotations

import re
from importlib.metadata import distributions, requires
from pathlib import Path

PINS = Path(__file__).resolve().parents[1] / "constraints" / "lowest.txt"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


INSTALLED = {normal(one.name): one.version for one in distributions()}


def test_each_declared_dependency_is_installed_at_its_floor() -> None:
    requirements = requires("airflow-provider-oss-resume") or []
    floors = [re.match(r"([\w.-]+)>=([\d.]+)", one) for one in requirements]
    assert floors
    assert None not in floors, requirements  # a dependency without a floor has no lowest version
    above = [
        f"{name} {INSTALLED[normal(name)]}, not {floor}"
        for name, floor in (one.groups() for one in floors if one)
        if not re.fullmatch(rf"{re.escape(floor)}(\.0)*", INSTALLED[normal(name)])
    ]
    assert above == []


def test_each_pinned_distribution_has_its_pinned_version() -> None:
    pins = dict(line.split("==") for line in PINS.read_text().split())
    found = {name: version for name, version in INSTALLED.items() if name in pins}
    assert found == {name: pins[name] for name in found}
