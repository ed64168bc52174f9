"""The sensor in real tasks, and deferred under a real scheduler while the triggerer is killed and started again."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sensors.object import OSSObjectSensor
from demo.stack import AirflowStack
from tests.airflow import bucket
from tests.airflow.cases import Cases
from tests.airflow.conftest import DAGS
from tests.airflow.scheduled import CommandLine

TRIGGERER = {
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "3",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
}


@pytest.fixture
def cases(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Cases:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return Cases(forked, oss, capfd, DAGS / "sensor_cases.py")


def put(oss: DevServer, key: str, body: bytes = b"a,b\n") -> None:
    with bucket.client(oss) as client:
        client.put_object(bucket.NAME, key, body)


def looks(oss: DevServer, key: str) -> int:
    return len([one for one in oss.requests("HeadObject") if one.key == key])


@contextmanager
def stored_after_looks(oss: DevServer, key: str, count: int) -> Iterator[None]:
    """Store an object once the sensor has looked for it so many times, however long its first look takes."""
    ended = threading.Event()

    def wait_and_put() -> None:
        while not ended.wait(0.02):
            if looks(oss, key) >= count:
                put(oss, key)
                return

    thread = threading.Thread(target=wait_and_put)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_it_waits_until_the_object_is_as_expected(cases: Cases, oss: DevServer) -> None:
    oss.clear_requests()
    with stored_after_looks(oss, "wait/poke", 2):
        run = cases.run_conf("poke", {"key": "wait/poke", "crc64": str(crc64(b"a,b\n"))})
    assert run.states == ["success"]
    assert run.said("waiting for oss://examplebucket/wait/poke") == 1
    assert cases.airflow.xcom(run.run_id, "wait") == ["wait/poke"]


def test_all_of_several(cases: Cases, oss: DevServer) -> None:
    put(oss, "wait/several")
    put(oss, "wait/several.part-1")
    run = cases.run_conf("several", {"key": "wait/several"})
    assert run.states == ["success"]
    assert cases.airflow.xcom(run.run_id, "wait") == ["wait/several", "wait/several.part-1"]


@pytest.mark.parametrize(
    ("dag", "state"),
    [("timed_out", "failed"), ("soft", "skipped"), ("nowhere", "failed"), ("soft_nowhere", "skipped")],
)
def test_ends_that_are_no_success(cases: Cases, oss: DevServer, dag: str, state: str) -> None:
    assert cases.run_conf(dag, {"key": "wait/never"}).states == [state]


def test_rescheduling(cases: Cases, oss: DevServer) -> None:
    oss.clear_requests()
    with stored_after_looks(oss, "wait/reschedule", 2):
        run = cases.run_conf("reschedule", {"key": "wait/reschedule"})
    assert run.states[-1] == "success"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wildcard_match": True, "use_regex": True}, "choose one"),
        ({"key": []}, "write a key, or a list of keys"),
        ({"newer_than": "yesterday"}, "it must be an ISO-8601 time"),
        ({"min_size": "much"}, "min_size is 'much'"),
    ],
)
def test_bad_arguments(cases: Cases, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigurationError, AirflowFailException), match=message):
        OSSObjectSensor(**{"task_id": "x", "key": "a", "bucket_name": "examplebucket", **arguments}).poke({})


# ---------------------------------------------------------------- deferred


@pytest.fixture
def airflow(stack: AirflowStack) -> Iterator[CommandLine]:
    command_line = CommandLine(stack)
    yield command_line
    command_line.close()


def start_triggerer(stack: AirflowStack) -> None:
    program = str(Path(sys.executable).parent / "airflow")
    stack.services.start("triggerer", [program, "triggerer", "--skip-serve-logs"], {**stack.environment, **TRIGGERER})


@pytest.mark.timeout(300)
def test_a_deferred_sensor_survives_the_death_of_the_triggerer(
    stack: AirflowStack, oss: DevServer, airflow: CommandLine
) -> None:
    key, run_id = "wait/deferred", f"wait_deferred_{time.time_ns()}"
    oss.clear_requests()
    start_triggerer(stack)
    try:
        conf = shlex.quote(json.dumps({"key": key, "newer_than": datetime.now(timezone.utc).isoformat()}))
        airflow.run(f"dags trigger wait_deferred --run-id {run_id} --conf {conf}")
        stack.wait(lambda: stack.task(run_id, "wait").state == "deferred", "deferred task", 120)
        stack.wait(lambda: looks(oss, key) >= 3, "look by the triggerer", 120)
        stack.services.stop_one("triggerer")
        oss.clear_requests()
        start_triggerer(stack)
        stack.wait(lambda: looks(oss, key) >= 2, "look by the second triggerer", 120)
        assert stack.task(run_id, "wait").state == "deferred"
        put(oss, key)
        stack.wait(lambda: stack.task(run_id, "wait").ended, "end of the task", 120)
    finally:
        stack.services.stop_one("triggerer")
    assert stack.task(run_id, "wait").state == "success"
    assert stack.xcom(run_id, "wait") == [key]
