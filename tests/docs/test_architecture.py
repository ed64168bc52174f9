"""docs/architecture.md is true: its picture shows the imports, and its table names what exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "airflow_provider_oss_resume"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
ARROW = re.compile(r'^ +(\w+)(?:\[".*?"\])? --> (\w+)', re.MULTILINE)
TABLE_ROW = re.compile(r"^\|[^|]+\|(.*)\|$", re.MULTILINE)
NAMED_FILE = re.compile(r"`([\w/]+\.py)(?:: (\w+))?`")
NO_LAYERS = {"error_details", "provider_info", "version"}  # values that need no arrow

Graph = dict[str, set[str]]


def runtime_imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that code imports, wherever in it, but not for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
        yield from runtime_imports(node)


def folder_imports() -> Graph:
    """Return which folder of the package imports which others."""
    graph: Graph = {}
    for path in PACKAGE.rglob("*.py"):
        folder = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names = (name.split(".") for name in runtime_imports(ast.parse(path.read_text(encoding="utf-8"))))
        found = {parts[1] for parts in names if parts[0] == PACKAGE.name and len(parts) > 1}
        graph.setdefault(folder, set()).update(found - {folder} - NO_LAYERS)
    return graph


def reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = graph.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def test_the_picture_shows_the_imports() -> None:
    graph = folder_imports()
    arrows = {
        (folder, one)
        for folder, others in graph.items()
        for one in others
        if not any(one in reachable(graph, other) for other in others - {one})
    }
    drawn = set(ARROW.findall(PAGE))
    assert drawn == arrows, f"draw {sorted(arrows - drawn)} and remove {sorted(drawn - arrows)} in docs/architecture.md"


CHANGES = PAGE.partition("## If you want to change")[2].partition("\n## ")[0]
ROWS = [row for row in TABLE_ROW.findall(CHANGES) if ".py" in row or "/`" in row]


@pytest.mark.parametrize("row", ROWS, ids=[str(number) for number, _ in enumerate(ROWS)])
def test_the_table_names_what_exists(row: str) -> None:
    named = NAMED_FILE.findall(row)
    assert named or "/`" in row
    for name, definition in named:
        [path] = [folder / name for folder in (PACKAGE, REPOSITORY) if (folder / name).is_file()] or [None]
        assert path is not None, name
        assert not definition or re.search(rf"\b(def|class) {definition}\b", path.read_text(encoding="utf-8")), row
