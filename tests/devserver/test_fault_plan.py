from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.devserver.faults.plan import FaultPlan, load_rules, rules_of_json


def fires(plan: FaultPlan, operation: str = "UploadPart", part: int | None = 1, times: int = 1) -> list[bool]:
    return [plan.take(operation, "bucket", "a/key", part) is not None for _ in range(times)]


def test_a_rule_fires_once_unless_it_says_otherwise() -> None:
    assert fires(FaultPlan([FaultRule(FaultKind.DELAY)]), times=3) == [True, False, False]


def test_skip_and_count() -> None:
    plan = FaultPlan([FaultRule(FaultKind.DELAY, skip=2, count=2)])
    assert fires(plan, times=6) == [False, False, True, True, False, False]


def test_a_count_of_none_never_ends() -> None:
    assert all(fires(FaultPlan([FaultRule(FaultKind.DELAY, count=None)]), times=50))


@pytest.mark.parametrize(
    ("rule", "hit"),
    [
        (FaultRule(FaultKind.DELAY, operation="UploadPart*"), True),
        (FaultRule(FaultKind.DELAY, operation="PutObject"), False),
        (FaultRule(FaultKind.DELAY, key="a/*"), True),
        (FaultRule(FaultKind.DELAY, key="b/*"), False),
        (FaultRule(FaultKind.DELAY, bucket="other"), False),
        (FaultRule(FaultKind.DELAY, part_number=1), True),
        (FaultRule(FaultKind.DELAY, part_number=2), False),
    ],
)
def test_a_rule_is_about_some_requests_only(rule: FaultRule, hit: bool) -> None:
    assert fires(FaultPlan([rule])) == [hit]


def test_the_dice_fall_the_same_in_every_run_and_about_as_often_as_asked() -> None:
    def thrown(seed: int) -> list[bool]:
        return fires(FaultPlan([FaultRule(FaultKind.DELAY, count=None, probability=0.3, seed=seed)]), times=1000)

    assert thrown(1) == thrown(1) != thrown(2)
    assert 250 < sum(thrown(1)) < 350


def test_the_first_rule_with_something_to_give_is_taken() -> None:
    first, second = FaultRule(FaultKind.DELAY), FaultRule(FaultKind.RESET)
    plan = FaultPlan([first, second])
    assert [plan.take("PutObject", "b", "k", None) for _ in range(3)] == [first, second, None]
    assert [fault.is_exhausted for fault in plan.faults] == [True, True]


def test_a_fault_that_did_not_happen_often_enough_is_not_spent() -> None:
    plan = FaultPlan([FaultRule(FaultKind.DELAY, count=2)])
    fires(plan)
    assert not plan.faults[0].is_exhausted


def test_a_plan_comes_through_json(tmp_path: Path) -> None:
    rules = [
        FaultRule(FaultKind.REPLY, status=503, code="ServiceUnavailable", headers={"x-oss-qos-delay-time": "50"}),
        FaultRule(FaultKind.RESET, when=FaultMoment.MIDDLE, after_bytes=10, count=None, probability=0.5),
    ]
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"faults": [rule.as_json() for rule in rules]}))
    assert load_rules(path) == rules


@pytest.mark.parametrize(
    "document",
    [
        {},
        "delay",
        ["delay"],
        [{}],
        [{"kind": "no such kind"}],
        [{"kind": "delay", "typo": 1}],
        [{"kind": "delay", "probability": 1.5}],
        [{"kind": "delay", "count": 0}],
        [{"kind": "delay", "skip": -1}],
        [{"kind": "reset", "when": "sometimes"}],
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        rules_of_json(document)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "hiccup"}, "kind 'hiccup' is not valid: use one of reply, error_body, delay"),
        ({"when": "midle"}, "when 'midle' is not valid: use one of before, middle, after"),
        ({"count": "2"}, "count '2' is not valid: use a whole number of at least 1, or null"),
        ({"count": True}, "count True is not valid: use"),
        ({"skip": 1.5}, "skip 1.5 is not valid: use a whole number"),
        ({"part_number": "3"}, "part_number '3' is not valid: use a whole number from 1, or null"),
        ({"probability": float("nan")}, "probability nan is not valid: use a number from 0 to 1"),
        ({"probability": "1"}, "probability '1' is not valid: use"),
        ({"status": "503"}, "status '503' is not valid: use an HTTP status from 200 to 599"),
        ({"status": 99}, "status 99 is not valid: use"),
        ({"seconds": "long"}, "seconds 'long' is not valid: use a number of seconds"),
        ({"seconds": -3}, "seconds -3 is not valid: use"),
        ({"bytes_per_second": 0}, "bytes_per_second 0 is not valid: use a number of at least 1"),
        ({"offset": -1}, "offset -1 is not valid: use"),
        ({"after_bytes": "half"}, "after_bytes 'half' is not valid: use .* or null for half"),
        ({"headers": ["Retry-After"]}, r"headers \['Retry-After'\] is not valid: use an object"),
        ({"headers": {"Retry-After": 3}}, "headers .* is not valid: use an object of header names and strings"),
        ({"headers": {"Retry After": "3"}}, "headers .* is not valid: use an object"),
        ({"headers": {"Retry-After": "3\r\nX: y"}}, "headers .* is not valid: use an object"),
        ({"message": None}, "message None is not valid: use a string"),
        ({"operation": 5}, "operation 5 is not valid: use a string"),
        ({"body": 5}, "body 5 is not valid: use a string, or null"),
        ({"statu": 503}, "unknown field statu: use kind, operation"),
    ],
)
def test_a_slip_in_a_rule_is_named_with_its_number_and_the_remedy(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=f"fault 2 of the plan: {said}"):
        rules_of_json([{"kind": "delay"}, {"kind": "delay", **values}])


def test_a_file_that_holds_no_plan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"faults\.json' is not a fault plan"):
        load_rules(path)


def test_a_rule_about_no_operation_at_all_is_refused_and_changes_nothing() -> None:
    plan = FaultPlan((), ("UploadPart", "UploadPartCopy"))
    plan.add([FaultRule(FaultKind.DELAY, "UploadPart*"), FaultRule(FaultKind.DELAY)])
    with pytest.raises(ValueError, match="operation 'UploadPrat' does not exist: use one of UploadPart, "):
        plan.add([FaultRule(FaultKind.DELAY), FaultRule(FaultKind.DELAY, "UploadPrat")])
    assert len(plan.faults) == 2
