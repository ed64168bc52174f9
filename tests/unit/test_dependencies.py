"""The package declares what it imports, and `make test-lowest` installs the floors that it declares."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "airflow_provider_oss_resume"
REQUIREMENTS = requires("airflow-provider-oss-resume") or []

# Airflow 2.11 to 3.1 draws its connection form with these, or puts stand-ins in their place; nothing else imports the
# module that does.
OF_AIRFLOW = {"flask_appbuilder", "flask_babel", "wtforms"}

# Type checkers alone know this module; it is imported below `if TYPE_CHECKING` and never while the code runs.
OF_TYPE_CHECKERS = {"_typeshed"}

# Whoever exports from PostgreSQL has one of its drivers, or there is no connection.
OF_THE_DATABASE = {"psycopg", "psycopg2"}

# adlfs and gcsfs bring them; the module handles only their filesystems.
OF_THE_FILESYSTEM = {"azure", "aiohttp"}

# The OpenLineage provider calls the module, and brings its client; without it nothing imports the module.
OF_OPENLINEAGE = {"openlineage"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str = "") -> set[str]:
    """Return the distributions that are installed with the package, or with one of its extras too."""
    always = {one for one in REQUIREMENTS if "extra ==" not in one}
    wanted = always | {one for one in REQUIREMENTS if extra and re.search(rf"extra == ['\"]{extra}['\"]", one)}
    return {normal(re.split(r"[^\w.-]", one)[0]) for one in wanted}


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def undeclared(paths: set[Path], distributions: set[str], given: set[str]) -> set[tuple[str, str]]:
    found = packages_distributions()
    own = {"airflow_provider_oss_resume", *sys.stdlib_module_names, *given}
    return {
        (str(path.relative_to(PACKAGE)), name)
        for path in paths
        for name in imported(path)
        if name not in own and not distributions & {normal(one) for one in found.get(name, [name])}
    }


def test_every_import_is_of_a_declared_distribution() -> None:
    modules = set(PACKAGE.rglob("*.py"))
    server, form = set((PACKAGE / "devserver").rglob("*.py")), {PACKAGE / "hooks" / "connection" / "form.py"}
    export = set((PACKAGE / "export").rglob("*.py"))
    lineage, bodies = {PACKAGE / "lineage" / "openlineage.py"}, {PACKAGE / "remote_sources" / "object_bodies.py"}
    assert undeclared(modules - server - form - export - lineage - bodies, declared(), OF_TYPE_CHECKERS) == set()
    assert undeclared(bodies, declared(), OF_THE_FILESYSTEM) == set()
    assert undeclared(lineage, declared(), OF_OPENLINEAGE) == set()
    assert undeclared(export, declared("export"), OF_THE_DATABASE) == set()
    assert undeclared(server, declared("devserver"), set()) == set()
    assert undeclared(form, declared(), OF_AIRFLOW) == set()


def test_every_floor_is_a_version_that_the_tests_run_on() -> None:
    installed = dict(line.split("==") for line in (REPOSITORY / "constraints/lowest.txt").read_text().split())
    floors = dict(re.findall(r"^([\w.-]+)>=([\w.]+)", "\n".join(REQUIREMENTS), re.MULTILINE))
    assert floors
    for name, floor in floors.items():
        assert re.fullmatch(rf"{re.escape(floor)}(\.0)*", installed[normal(name)]), (name, floor)
