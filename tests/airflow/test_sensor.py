"""The sensor in real tasks, and deferred under a real scheduler while the triggerer is killed and started again."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, PokeReturnValue

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.object_io.expectation import Expectation, as_values
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.sensors.object import OSSObjectSensor
from airflow_provider_oss_resume.triggers.object import OSSObjectTrigger
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


def test_a_regular_expression_may_begin_with_a_backslash(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    put(oss, "2026-11-27/orders.csv")
    sensor = OSSObjectSensor(task_id="x", key=r"\d{4}-11-27/orders\.csv", use_regex=True, bucket_name=bucket.NAME)
    found = sensor.poke({})
    assert isinstance(found, PokeReturnValue)
    assert found.xcom_value == ["2026-11-27/orders.csv"]


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


def test_deferred_sensors_hold_no_thread_between_two_looks(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """All share one thread: if one held it during its long wait, the others would never look again."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    keys = [f"wait/threads/{number}" for number in range(5)]
    oss.clear_requests()

    async def one(key: str, interval: float = 0.01) -> Any:
        trigger = OSSObjectTrigger([as_values(Expectation(bucket.NAME, key))], "oss_default", interval)
        return [event.payload async for event in trigger.run()]

    async def all_of_them() -> list[Any]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        long_wait = asyncio.create_task(one("wait/threads/never", 10_000.0))
        while not looks(oss, "wait/threads/never"):
            await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(one(key)) for key in keys]
        while min(looks(oss, key) for key in keys) < 3:
            await asyncio.sleep(0.01)
        for key in keys:
            put(oss, key)
        found = list(await asyncio.gather(*waiting))
        long_wait.cancel()
        return found

    assert asyncio.run(all_of_them()) == [[{"status": "success", "keys": [key]}] for key in keys]


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
