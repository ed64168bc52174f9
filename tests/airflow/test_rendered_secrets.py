"""Secrets in a source's URL: they are in none of the tables that Airflow shows, and the upload still has them."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.remote_sources.secret_url import whole_url
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.conformance.sources.http_files import HTTPFiles

PASSWORD, SIGNATURE, SHORT = "pass-of-the-web", "signature-of-the-web", "x7"
SECRETS = (PASSWORD, SIGNATURE, f":{SHORT}@", f"sig={SHORT}")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[HTTPFiles]:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(name)
    with closing(HTTPFiles(tmp_path)) as files:
        yield files


def signed(web: HTTPFiles, name: str, password: str = PASSWORD, signature: str = SIGNATURE) -> str:
    return f"{web.url.replace('//', f'//me:{password}@')}/{name}?date=today&sig={signature}"


def rendered(cases: Cases, run_id: str) -> str:
    """Return what Airflow stored of the arguments of a run's tasks."""
    rows = cases.airflow.query(
        "select rendered_fields from rendered_task_instance_fields where run_id = ? and task_id = 'upload'", run_id
    )
    return str(rows)


@pytest.mark.parametrize(("password", "signature"), [(PASSWORD, SIGNATURE), (SHORT, SHORT)], ids=["long", "short"])
def test_a_url(cases: Cases, oss: DevServer, web: HTTPFiles, tmp_path: Path, password: str, signature: str) -> None:
    web.password = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
    key = f"rendered/{tmp_path.name}.csv"
    run = cases.run("from_conf", bucket.SourceFile(tmp_path, key), source=signed(web, "a.csv", password, signature))
    assert run.states == ["success"], run.output
    assert bucket.stored_sha256(oss, key)
    shown = rendered(cases, run.run_id)
    assert "***@127.0.0.1" in shown
    assert "/a.csv?***" in shown
    assert not [secret for secret in SECRETS if secret in shown + run.output]


def test_each_url_of_a_mapped_task(cases: Cases, web: HTTPFiles, tmp_path: Path) -> None:
    urls = [signed(web, name) for name in ("a.csv", "b.csv")]
    run = cases.run_conf("found_urls", {"urls": urls, "key": f"rendered/{tmp_path.name}/"})
    assert set(run.states) == {"success"}, run.output
    shown = rendered(cases, run.run_id)
    assert shown.count("csv?***") == 2
    assert not [secret for secret in SECRETS if secret in shown]


def test_what_others_log(cases: Cases, web: HTTPFiles, tmp_path: Path) -> None:
    run = cases.run_conf("urls_told", {"urls": signed(web, "a.csv"), "key": f"rendered/{tmp_path.name}.csv"})
    assert run.states == ["success"], run.output
    assert run.said("the configuration is ")
    assert not [secret for secret in SECRETS if secret in run.output]


def test_rendering_keeps_the_secrets_of_a_literal() -> None:
    url, other = "https://me:hush-hush@host/a.csv?sig=1", "https://host/b.csv?sig=2"
    with DAG("literals", schedule=None):
        one = ResumableUploadOperator(task_id="one", source=url, bucket_name="examplebucket", key="k")
        many = ResumableUploadOperator(
            task_id="many", source=[url, "/exports/{{ day }}.csv", other], bucket_name="examplebucket", key="k/"
        )
    for task in (one, many):
        for _ in range(2):
            task.render_template_fields({"day": "today"})  # type: ignore[typeddict-unknown-key]
    assert "hush" not in f"{one.source} {many.source}"
    assert whole_url(one.source) == url
    assert [whole_url(source) for source in many.source] == [url, "/exports/today.csv", other]


def test_a_source_that_is_set_anew_replaces_its_secrets() -> None:
    with DAG("anew", schedule=None):
        task = ResumableUploadOperator(
            task_id="one", source="https://host/a.csv?sig=1", bucket_name="examplebucket", key="k"
        )
    task.source = "https://host/a.csv?sig=2"
    assert whole_url(task.source) == "https://host/a.csv?sig=2"


def test_the_masker_of_airflow_3_0(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("airflow.sdk")
    masked: list[str] = []
    masker = ModuleType("airflow.sdk.execution_time.secrets_masker")
    monkeypatch.setattr(masker, "mask_secret", masked.append, raising=False)
    monkeypatch.delattr("airflow.sdk.log.mask_secret")
    monkeypatch.setitem(sys.modules, masker.__name__, masker)
    monkeypatch.setitem(sys.modules, "airflow.utils.log.secrets_masker", None)
    ResumableUploadOperator(task_id="upload", source=f"https://me:{PASSWORD}@files/a.csv", key="k")
    assert PASSWORD in masked
