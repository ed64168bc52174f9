"""How parts are divided, and what a plan on its way accepts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss_resume.exceptions import ConfigurationError, PlanError
from airflow_provider_oss_resume.oss.client_encryption.encryption import WrappedKey
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.shards import sealed
from airflow_provider_oss_resume.shards.plan import Plan, PlannedUpload, PlanOrigin, ShardContent, ShardResult
from airflow_provider_oss_resume.shards.sharding import PartSpan, ShardCounts, Sharding, sharing, split_parts
from airflow_provider_oss_resume.sources.source import Fingerprint, same_content
from airflow_provider_oss_resume.transfer.counts import TransferCounts

UPLOAD = PlannedUpload("examplebucket", "a.bin", "0004B9", 100 * 1024, "digest", WrappedKey("key", "start", "rsa"))
PLAN = Plan(PlanOrigin("p1", "worker-1"), UPLOAD, Fingerprint(1000 * 1024, "7:8:9"), ShardCounts(3, 2), "ETAG")


@given(count=st.integers(1, 10_000), shards=st.integers(1, 1024))
def test_spans_cover_all_parts_and_differ_by_one_part_at_most(count: int, shards: int) -> None:
    spans = split_parts(count, min(shards, count))
    assert [number for span in spans for number in span.numbers] == list(range(1, count + 1))
    assert max(span.count for span in spans) - min(span.count for span in spans) <= 1
    assert len(spans) == min(shards, count)


@pytest.mark.parametrize(
    ("sharding", "units", "count", "running"),
    [
        (Sharding(4), 100, 4, 4),
        (Sharding(64), 3, 3, 3),
        (Sharding(5000, most=1024), 10_000, 1024, 1024),
        (Sharding(4, shards=16), 100, 16, 4),
        (Sharding(8, at_once=2), 100, 8, 2),
    ],
)
def test_shards_are_as_many_as_allowed(sharding: Sharding, units: int, count: int, running: int) -> None:
    assert sharding.counts(units) == ShardCounts(count, running)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workers": 0}, "workers is 0: it must be a whole number from 1"),
        ({"workers": True}, "workers is True"),
        ({"workers": 2, "shards": 0}, "shards is 0"),
        ({"workers": 2, "shards": 2000}, "at most 1024 times.*max_map_length"),
    ],
)
def test_numbers_that_cannot_work(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Sharding(**wrong)


def test_more_shards_than_parts() -> None:
    with pytest.raises(ConfigurationError, match=r"shards is 5, and the source has 3 parts.*workers instead of shards"):
        Sharding(5, shards=5).count(3)


def test_a_plan_survives_json() -> None:
    assert Plan.from_dict(json.loads(json.dumps(PLAN.as_dict()))) == PLAN
    assert [str(span) for span in PLAN.spans] == ["parts 1 to 3", "parts 4 to 6", "parts 7 to 10"]


def test_a_plan_by_hand_is_refused() -> None:
    with pytest.raises(PlanError, match="cannot be written by hand"):
        Plan.from_dict({"upload_id": "1"})
    with pytest.raises(PlanError, match="cannot be written by hand"):
        Plan.from_dict({**PLAN.as_dict(), "shards": {"planned": 1, "running": 1}})
    with pytest.raises(PlanError, match="cannot be written by hand"):
        Plan.from_dict("a plan")


def test_a_plan_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other_worker:
        other_worker.setattr(sealed, "__version__", "9.9.9")
        other = PLAN.as_dict()
    with pytest.raises(PlanError, match=r"of version 9\.9\.9 .* this worker has .* one version on all workers"):
        Plan.from_dict(other)


@pytest.mark.parametrize("shard", [-1, 3])
def test_a_shard_that_the_plan_does_not_have(shard: int) -> None:
    with pytest.raises(PlanError, match=f"shard {shard} is not in the plan, which has 3 shards"):
        PLAN.span(shard)


def test_a_result_survives_json() -> None:
    content = ShardContent(PartSpan(1, 2), 7, 2**63 + 1, (Part(1, 7, "ABC", 2**63),))
    result = ShardResult("p1", 0, content, TransferCounts(1, 2, 3, 4, 5), 1.5)
    assert ShardResult.from_dict(json.loads(json.dumps(result.as_dict()))) == result
    with pytest.raises(PlanError, match="cannot be read"):
        ShardResult.from_dict({"shard": 1})


@pytest.mark.parametrize(
    ("planned", "seen", "same"),
    [
        (Fingerprint(5, "1700:11:22"), Fingerprint(5, "1700:11:99"), True),  # the same volume, mounted elsewhere
        (Fingerprint(5, "1700:11:22"), Fingerprint(5, "1701:11:22"), False),
        (Fingerprint(5, "1700:11:22"), Fingerprint(6, "1700:11:22"), False),
        (Fingerprint(5, "1700:11:22:1800"), Fingerprint(5, "1700:11:99:1800"), True),
        (Fingerprint(5, "1700:11:22:1800"), Fingerprint(5, "1700:11:22:1801"), False),
        (Fingerprint(5, "1700:11:22:1800"), Fingerprint(5, "1700:12:22:1800"), False),
        (Fingerprint(5, "1700:11:22:1800"), Fingerprint(5, "1700:11:22"), False),
        (Fingerprint(5, '"etag"', strong=True), Fingerprint(5, '"etag"', strong=True), True),
        (Fingerprint(5, '"etag"', strong=True), Fingerprint(5, '"other"', strong=True), False),
        (Fingerprint(5, "size only"), Fingerprint(5, "size only"), True),
        (Fingerprint(5, "Thu, 26 Nov 2026 10:11:12 GMT"), Fingerprint(5, "Thu, 26 Nov 2026 10:11:13 GMT"), False),
    ],
)
def test_two_machines_see_the_same_content(planned: Fingerprint, seen: Fingerprint, same: bool) -> None:
    assert same_content(planned, seen) is same


@pytest.mark.parametrize(
    ("running", "unfinished", "share"), [(4, None, 4), (4, 64, 4), (4, 4, 4), (4, 3, 3), (4, 1, 1), (4, 0, 1)]
)
def test_the_shards_that_are_left_share_the_bandwidth_limit(running: int, unfinished: int | None, share: int) -> None:
    assert sharing(running, None if unfinished is None else lambda: unfinished)() == share
