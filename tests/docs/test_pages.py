"""What the README and the pages of docs/ show is true: code runs, links lead somewhere, commands exist."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").glob("**/*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEST_LINK = re.compile(r"\[`(test_\w+)`\]\(([^)]+\.py)\)")
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(REPOSITORY))
    return [
        Block(name, text[: found.start()].count("\n") + 1, found.group(1), found.group(2))
        for found in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
DAGS = [block for block in PYTHON if "DAG(" in block.text]
SHELL = [block for block in BLOCKS if block.language in ("bash", "console", "sh", "shell")]


def test_the_pages_show_code() -> None:
    assert any(block.page == "README.md" for block in DAGS), "the README should show a DAG"


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_blocks_parse_and_import_what_exists(block: Block) -> None:
    tree = ast.parse(block.text, filename=str(block))
    imports: list[ast.stmt] = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    exec(compile(ast.Module(imports, []), str(block), "exec"), {})  # noqa: S102 - our own page


@pytest.mark.parametrize("block", DAGS, ids=str)
def test_dag_blocks_run(block: Block) -> None:
    exec(compile(block.text, str(block), "exec"), {"__name__": "page"})  # noqa: S102 - our own page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(page.read_text(encoding="utf-8"))]
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    named = TEST_LINK.findall(page.read_text(encoding="utf-8"))
    missing = [name for name, file in named if f"def {name}(" not in (page.parent / file).read_text(encoding="utf-8")]
    assert missing == []


OFFICIAL = """
Java setUploadFile setTaskNum setPartSize setEnableCheckpoint setCheckpointFile setObjectMetadata setCallback
Node.js multipartUpload progress checkpoint region accessKeyId accessKeySecret
Python resumable_upload store ResumableStore multipart_threshold part_size progress_callback num_threads
connection_pool_size EnvironmentVariableCredentialsProvider
.NET PartSize ParallelThreadCount CheckpointDir
Android recordDirectory setDeleteUploadOnCancelling setProgressCallback
Go UploadFile oss.Routines oss.Checkpoint
iOS OSSResumableUploadRequest partSize uploadProgress recordDirectoryPath deleteUploadIdOnCancelling uploadingFileURL
OSSClientErrorCodeCannotResumeUpload
C++ UploadObjectRequest checkpointDir
C oss_create_resumable_clt_params_content is_cname
Ruby resumable_upload :part_size :cpt_file endpoint access_key_id
"""


def test_all_that_the_official_page_names_is_on_ours() -> None:
    """The names are those of the page "Resumable upload" of the official documentation."""
    page = (REPOSITORY / "docs" / "coming-from-an-sdk.md").read_text(encoding="utf-8")
    assert [name for name in OFFICIAL.split() if name not in page] == []


def test_the_arguments_that_it_gives_for_them_exist() -> None:
    tree = ast.parse((REPOSITORY / "airflow_provider_oss_resume" / "operators" / "upload.py").read_text("utf-8"))
    inits = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    arguments = {argument.arg for argument in inits[0].args.kwonlyargs}
    connection = (REPOSITORY / "docs" / "connection.md").read_text(encoding="utf-8")
    page = (REPOSITORY / "docs" / "coming-from-an-sdk.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.partition("## Faults of the SDKs")[0].splitlines() if line[:2] == "| "]
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row[3])}
    assert len(named) > 20
    assert {name for name in named - arguments if f"`{name}`" not in connection} == set()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_make_commands_exist(block: Block) -> None:
    asked = {
        word
        for line in block.text.splitlines()
        if (words := shlex.split(line.removeprefix("$ "), comments=True))[:1] == ["make"]
        for word in words[1:]
        if "=" not in word
    }
    assert asked <= make_targets()


def test_make_help_lists_every_target_a_person_may_type() -> None:
    listed = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert {"demo", "test", "lint", "types", "layers", "bench"} <= set(listed.split())


def test_the_operators_page_names_every_argument() -> None:
    tree = ast.parse((REPOSITORY / "airflow_provider_oss_resume" / "operators" / "upload.py").read_text("utf-8"))
    inits = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    arguments = [argument.arg for argument in inits[0].args.kwonlyargs]
    assert "source" in arguments
    page = (REPOSITORY / "docs" / "operator.md").read_text(encoding="utf-8")
    assert [name for name in arguments if f"`{name}`" not in page] == []


def test_the_readme_installs_what_there_is_and_checks_what_airflow_has() -> None:
    """It installed a package that no index has, and its check failed for a connection in Airflow's database."""
    lines = {line.strip() for line in (REPOSITORY / "README.md").read_text().splitlines()}
    installs = {line.partition(" install ")[2] for line in lines if line.startswith("pip install ")}
    assert installs
    assert {one for one in installs if not one.strip("'").startswith((".", "dist/"))} == set()
    assert any("airflow connections test " in line for line in lines)
