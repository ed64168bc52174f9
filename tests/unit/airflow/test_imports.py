"""The installed Airflow has all that the package imports: `make test-lowest` runs this with the oldest one allowed."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[3] / "airflow_provider_oss_resume"
COMPAT = "airflow.providers.common.compat"

# It imports what draws the connection form, which only some versions of Airflow bring.
OF_AIRFLOW = {"airflow_provider_oss_resume.hooks.connection.form"}

# Prints {module: error} of the modules that cannot be imported.
IMPORT_EACH = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = repr(error)
print(json.dumps(failed))
"""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_module_imports() -> None:
    names = {module_name(path) for path in PACKAGE.rglob("*.py")} - OF_AIRFLOW
    command = [sys.executable, "-c", IMPORT_EACH, *sorted(names)]
    child = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert json.loads(child.stdout.splitlines()[-1]) == {}, child.stderr


def test_every_name_of_common_compat_exists_also_those_imported_late() -> None:
    names = {
        (node.module, alias.name)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{COMPAT}.")
        for alias in node.names
        if "openlineage" not in node.module  # it needs the OpenLineage provider, which is optional
    }
    assert names
    assert {one for one in names if not hasattr(importlib.import_module(one[0]), one[1])} == set()
