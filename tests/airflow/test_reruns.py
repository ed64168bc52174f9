"""Reruns of a try that sent parts: they wait as retries do, and they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket, runs
from tests.airflow.background import Run
from tests.airflow.scheduled import Scheduled

# One try sends about 20 parts before its deadline.
PARTS = 56


def pauses(oss: DevServer, source: bucket.SourceFile, count: int) -> list[float]:
    """Return the longest pauses between two replies of the service, in their order, in seconds."""
    times = sorted(one.time for one in oss.requests() if one.key == source.key)
    found = [later - earlier for earlier, later in pairwise(times)]
    longest = sorted(found)[-count:]
    return [pause for pause in found if pause in longest]


@pytest.mark.timeout(240)
def test_a_rerun_waits_as_a_retry_does(scheduled: Callable[[str], Scheduled], oss: DevServer, tmp_path: Path) -> None:
    """The schedulers of Airflow 2.11 and 3.0 start any task but a sensor again at once."""
    source = bucket.write_source(tmp_path, "waits.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    run = scheduled("waits").trigger(source)
    run.wait_for_success(1)
    first, second = pauses(oss, source, 2)
    assert "(rerun 1 of 50, in 0:00:06)" in run.log
    assert "(rerun 2 of 50, in 0:00:12)" in run.log
    assert first >= 6
    assert second >= 12
    assert Counter(bucket.parts_held(oss, source.key)) == Counter(range(1, PARTS + 1))


def test_reruns_have_an_upper_bound(
    forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every try sends some parts, so without a bound the task would run until the last part."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    source = bucket.write_source(tmp_path, "two-reruns.bin", 5 * PARTS)
    bucket.slow_parts(oss, source.key)
    with Run(forked, runs.load_dag("bad_nights", "two_reruns"), source.conf, tmp_path / "output.txt") as run:
        run.wait()
        assert run.state() == ("failed", 1)
    assert run.said("running again without using up a retry") == 2
    assert run.said("max_reruns (2) is reached: its failure uses up a retry") == 1
    runs.forget(forked)
