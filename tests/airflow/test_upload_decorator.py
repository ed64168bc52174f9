"""@task.oss_upload in real tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.decorators.upload import oss_upload_task
from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from demo.stack import AirflowStack
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.conftest import DAGS
from tests.airflow.test_many_files import stored
from tests.airflow.test_metrics import answer


@pytest.fixture
def cases(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cases:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Cases(forked, oss, capfd, DAGS / "decorator_cases.py")


def test_the_file_whose_path_is_returned_is_uploaded_and_a_retry_resumes(
    cases: Cases, oss: DevServer, tmp_path: Path
) -> None:
    source = bucket.write_source(tmp_path, "returned/one.bin", 12)
    oss.plan(answer(source, part=10, status=409, code="PartNotSequential"))
    run = cases.run("returned_path", source)
    assert (run.states, run.tries) == (["success"], 2)
    assert max(run.parts_accepted().values()) == 1
    assert cases.airflow.xcom(run.run_id, "upload")["resumed"] is True
    assert bucket.stored_sha256(oss, source.key) == source.sha256


def test_a_list_of_paths_is_many_files(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_text(path.name)
    returned = json.dumps([str(path) for path in paths])
    run = cases.run_conf("returned_value", {"key": "returned/list/", "returned": returned})
    assert run.states == ["success"]
    assert stored(oss, "returned/list/") == {"a.csv": b"a.csv", "b.csv": b"b.csv"}


def test_a_returned_path_is_no_template(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    run = cases.run_conf("returned_braces", {"key": "returned/braces/", "source": str(tmp_path)})
    assert run.states == ["success"]
    assert stored(oss, "returned/braces/") == {"{{ ds }}.csv": b"braces"}


def test_mapped_and_overridden(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    run = cases.run_conf("returned_mapped", {"key": "returned/mapped/", "source": str(tmp_path)})
    assert run.states == ["success", "success"]
    assert stored(oss, "returned/mapped/") == {"a.csv": b"a.csv", "b.csv": b"b.csv"}
    with bucket.client(oss) as client:
        assert client.head_object(bucket.NAME, "returned/mapped/a.csv").metadata == {"by": "override"}


def test_a_function_may_skip(cases: Cases) -> None:
    assert cases.run_conf("returned_value", {"key": "returned/none", "returned": '"skip"'}).states == ["skipped"]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned None, of type NoneType: return the path of a file, or a list of paths"),
        ({"path": "/a"}, "of type dict"),
        (["/a", 7], "returned 7, of type int"),
        ("", "returned '', of type str"),
    ],
)
def test_anything_else_fails_for_good_and_is_told(cases: Cases, returned: Any, message: str) -> None:
    run = cases.run_conf("returned_value", {"key": "returned/bad/", "returned": json.dumps(returned)})
    assert (run.states, run.tries) == (["failed"], 1)
    assert run.said(message) >= 1
    assert run.operations == []


def test_an_empty_list_is_an_empty_selection(cases: Cases) -> None:
    run = cases.run_conf("returned_value", {"key": "returned/empty/", "returned": "[]"})
    assert run.states == ["failed"]
    assert run.said("the selection has no file") >= 1


def test_a_source_beside_the_function_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="source is what the function returns"):
        oss_upload_task(lambda: "/a", source="/b", key="a", task_id="upload")()
