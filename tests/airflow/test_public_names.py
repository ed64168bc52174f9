"""The names that users import stay what they are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_provider_oss_resume as package


def test_every_public_name_leads_to_what_it_names() -> None:
    found = {name: getattr(package, name) for name in package.__all__}
    assert [name for name, one in found.items() if name not in (getattr(one, "__name__", None), "__version__")] == []
    assert set(package.__all__) <= set(dir(package))


def test_type_checkers_see_the_same_names() -> None:
    source = ast.parse(Path(str(package.__file__)).read_text())
    checking = next(node for node in source.body if isinstance(node, ast.If))
    shown = {(one.module, name.name) for one in checking.body if isinstance(one, ast.ImportFrom) for name in one.names}
    assert shown == {(f"{package.__name__}.{module}", name) for name, module in package._MODULES.items()}
    assert sorted(package._MODULES) == sorted(package.__all__)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Upload'"):
        _ = package.Upload
