"""The limits that no linter knows: how long a function and a module may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_FUNCTION = 40
LONGEST_MODULE = 300
SOURCES = sorted(
    path
    for folder in ("airflow_provider_oss_resume", "benchmarks", "demo", "example_dags")
    for path in (REPOSITORY / folder).rglob("*.py")
)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with the lines of its body, signature and docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}", lines


def test_no_module_is_too_long() -> None:
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_function_is_too_long() -> None:
    lengths = dict(found for path in SOURCES for found in functions(path))
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
