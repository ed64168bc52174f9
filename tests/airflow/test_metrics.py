"""What a real statsd client in a real task sends over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.operators.tries.metrics import Counters, Gauges, publish
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from airflow_provider_oss_resume.transfer.counts import TransferCounts
from tests.airflow import bucket
from tests.airflow.background import wait_for
from tests.airflow.scheduled import Scheduled
from tests.airflow.statsd_server import StatsdServer

PARTS = 16

pytestmark = pytest.mark.timeout(240)


def answer(source: bucket.SourceFile, part: int, status: int, code: str) -> FaultRule:
    return FaultRule(
        FaultKind.REPLY, operation="UploadPart", key=source.key, part_number=part, status=status, code=code
    )


def test_every_try_sends_its_counters(
    scheduled: Callable[[str], Scheduled], oss: DevServer, statsd: StatsdServer, tmp_path: Path
) -> None:
    source = bucket.write_source(tmp_path, "counted.bin", PARTS)
    oss.plan(answer(source, part=12, status=409, code="PartNotSequential"))  # ends the first try
    oss.plan(answer(source, part=14, status=500, code="InternalError"))  # costs an attempt
    bucket.slow_parts(oss, source.key)
    scheduled("counted").trigger(source).wait_for_success(tries=2)

    def of_both_tries() -> bool:
        counts = statsd.counts("counted", "upload")
        return all(counts[name] == 1 for name in ("resumes", "parts_retried"))

    wait_for(of_both_tries, "metrics of the second try", 10)
    counts = statsd.counts("counted", "upload")
    size = source.path.stat().st_size
    assert counts.keys() == Counters().as_dict().keys()
    assert counts["parts_sent"] == PARTS
    assert 8 <= counts["parts_reused"] < PARTS
    assert counts["bytes_reused"] == counts["parts_reused"] * bucket.PART_SIZE
    assert size <= counts["bytes_sent"] <= size + 5 * bucket.PART_SIZE
    assert counts["recoveries"] == 0
    gauges = statsd.gauges("counted", "upload")
    assert set(gauges) == {"rate", "parts_done", "parts_total"}
    assert set(gauges["parts_total"]) == {PARTS}
    assert gauges["parts_done"][-1] == PARTS
    assert max(gauges["rate"]) > 0


def test_a_failing_backend_is_logged_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An upload that is done must not be run again because nobody counts it."""

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no such collector")

    monkeypatch.setattr(Stats, "incr", refuse, raising=False)
    monkeypatch.setattr(Stats, "gauge", refuse, raising=False)
    gauges = Gauges(TaskIdentity("dag", "run", "upload"))
    gauges.send(rate=1)
    gauges.send(rate=2)
    assert caplog.text.count("cannot be sent to Airflow's metrics: ConnectionError: no such collector") == 1
    caplog.clear()
    publish(Counters(TransferCounts(bytes_sent=7)), TaskIdentity("dag", "run", "upload"))
    assert "cannot be sent to Airflow's metrics: ConnectionError: no such collector" in caplog.text
