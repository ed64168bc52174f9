"""The link from a task to its object (issue 8, C20)."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.operators.links import OSSObjectLink, link_to_object
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from demo import versions
from tests.airflow import bucket
from tests.airflow.cases import Cases


@pytest.mark.parametrize(
    ("endpoint", "style", "key", "url"),
    [
        (
            "https://oss-cn-hangzhou-internal.aliyuncs.com",
            "auto",
            "exports/a b/o.csv",
            "https://oss.console.alibabacloud.com/bucket/oss-cn-hangzhou/examplebucket/object?path=exports%2Fa%20b%2F",
        ),
        (
            "https://oss-cn-hangzhou.aliyuncs.com",
            "auto",
            "o.csv",
            "https://oss.console.alibabacloud.com/bucket/oss-cn-hangzhou/examplebucket/object?path=",
        ),
        ("https://files.example.com", "cname", "a/o.csv", "https://files.example.com/a/o.csv"),
        ("http://127.0.0.1:9000", "path", "a/o.csv", "http://127.0.0.1:9000/examplebucket/a/o.csv"),
    ],
)
def test_where_the_link_leads(endpoint: str, style: str, key: str, url: str) -> None:
    with OSSClient(endpoint, Credentials("id", "secret"), "cn-hangzhou", addressing_style=style) as client:
        assert link_to_object(client, "examplebucket", key) == url


def test_a_task_has_the_link(cases: Cases, oss: DevServer, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "linked.csv", 2)
    run = cases.run("from_conf", source)
    assert run.states == ["success"]
    rows = cases.airflow.query(
        "select value from xcom where run_id = ? and key = ?", run.run_id, OSSObjectLink.xcom_key
    )
    assert [versions.xcom_value(row[0]) for row in rows] == [f"{oss.url}/{bucket.NAME}/{source.key}"]
    assert [type(link) for link in ResumableUploadOperator.operator_extra_links] == [OSSObjectLink]
