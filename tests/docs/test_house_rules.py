"""The limits that no linter knows: how long a function and a module may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_FUNCTION = 40
LONGEST_MODULE = 300
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
TEXTS = {
    str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8")
    for folder in ("airflow_provider_oss_resume", "benchmarks", "demo", "example_dags")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
}


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield each function with the lines of its body, signature and docstring not counted."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield f"{node.lineno} {node.name}", lines


def docstring_lines(tree: ast.Module) -> int:
    """Return how many lines are docstrings: an operator's is its manual, and may be as long as it must."""
    documented = (node for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and ast.get_docstring(node))
    return sum((node.body[0].end_lineno or 0) - node.body[0].lineno + 1 for node in documented)


def test_no_module_is_too_long() -> None:
    lengths = {path: text.count("\n") - docstring_lines(ast.parse(text)) for path, text in TEXTS.items()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_function_is_too_long() -> None:
    found = {f"{path}:{name}": lines for path, text in TEXTS.items() for name, lines in functions(ast.parse(text))}
    assert {name: lines for name, lines in found.items() if lines > LONGEST_FUNCTION} == {}
