"""What stands in the log files of a task that Airflow itself ran."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket
from tests.airflow.dags.upload_cases import SECRET, TOKEN

PARTS = 8

pytestmark = pytest.mark.timeout(240)


def test_the_log_can_be_followed_and_holds_no_secret(stack: AirflowStack, tmp_path: Path) -> None:
    """Even a callback that logs the secrets of the connection shows stars."""
    source = bucket.write_source(tmp_path, "talkative.bin", PARTS)
    with DevServer(tmp_path / "sts", "STS.id", SECRET, buckets=(bucket.NAME,), security_tokens=(TOKEN,)) as server:
        connection = json.loads(bucket.connection(server))
        connection["extra"]["security_token"] = TOKEN
        stack.run(
            f"connections add oss_sts --conn-json {shlex.quote(json.dumps(connection))}",
            f"dags trigger upload_talkative --run-id talkative --conf {shlex.quote(json.dumps(source.conf))}",
        )
        stack.wait(lambda: stack.task("talkative", "upload").ended, "end of the task", 120)
    log = "".join(path.read_text() for path in stack.home.glob("logs/**/*talkative*/**/*.log"))
    assert stack.task("talkative", "upload").state == "success"
    assert "the secrets are <***> and <***>" in log
    for line in ("start: 1.75 MiB to examplebucket/talkative.bin in 8 parts of 256 KiB", "done: examplebucket/talk"):
        assert line in log
    everything = [path for path in stack.home.glob("logs/**/*.log") if "scheduler" not in path.parts]
    shown = "".join(path.read_text() for path in everything)
    assert SECRET not in shown
    assert TOKEN not in shown
    assert "test-secret" not in shown
