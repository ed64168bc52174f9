"""Faults on purpose: which request gets which, and whether every planned one happened.

A plan is an ordered list of rules. Each request takes the first rule that matches it and
still has something to give; a rule may first let ``skip`` requests pass, fires ``count``
times (None: always) and each time only with its ``probability``, thrown with its own seed,
so that a plan gives the same faults in every run with the same requests.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


class FaultKind(str, Enum):
    """Name what goes wrong."""

    REPLY = "reply"  # answer ``status`` and ``code`` (or ``body``) instead of doing the operation
    ERROR_BODY = "error_body"  # the same with HTTP 200: success by status, an error by its XML
    DELAY = "delay"  # wait ``seconds`` before the body is read, or ``after`` the operation
    THROTTLE = "throttle"  # read the body at ``bytes_per_second``
    RESET = "reset"  # cut the connection ``before``, in the ``middle`` of or ``after`` the body; nothing applied
    DROP_REPLY = "drop_reply"  # do the operation, then cut the connection instead of answering
    CORRUPT = "corrupt"  # flip a bit of the byte at ``offset``: in transit (``before``) or at rest (``after``)
    EXPIRE_TOKEN = "expire_token"
    UPLOAD_GONE = "upload_gone"  # the upload is aborted behind the client's back, then the request goes on


class FaultMoment(str, Enum):
    """Tell when, for the kinds that have a choice."""

    BEFORE = "before"
    MIDDLE = "middle"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class FaultRule:
    """Plan a fault.

    :param operation: name such as ``UploadPart``; a pattern with ``*`` is allowed, as for bucket and key.
    :param skip: matching requests that pass untouched before the first fault.
    :param count: how often it fires; None for always.
    :param when: moment of a delay, reset or corruption.
    :param after_bytes: where a reset in the middle of a body cuts it; None for half.
    :param offset: the byte that ``corrupt`` changes.
    :param body: text sent as it is instead of OSS's error XML, such as a proxy's HTML page.
    :param headers: further headers of the reply, such as ``x-oss-qos-delay-time``.
    """

    kind: FaultKind
    operation: str = "*"
    bucket: str = "*"
    key: str = "*"
    part_number: int | None = None
    skip: int = 0
    count: int | None = 1
    probability: float = 1.0
    seed: int = 0
    when: FaultMoment = FaultMoment.BEFORE
    status: int = 500
    code: str = "InternalError"
    message: str = "A fault of the dev server's plan."
    ec: str = ""
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1.0
    bytes_per_second: float = 65536.0
    after_bytes: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FaultKind(self.kind))
        object.__setattr__(self, "when", FaultMoment(self.when))
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability {self.probability} is not between 0 and 1")
        if self.skip < 0 or (self.count is not None and self.count < 1):
            raise ValueError("skip must not be negative and count must be at least 1")

    def matches(self, operation: str, bucket: str, key: str, part_number: int | None) -> bool:
        """Tell whether a request is one of those this rule is about."""
        named = ((operation, self.operation), (bucket, self.bucket), (key, self.key))
        return all(fnmatchcase(value, pattern) for value, pattern in named) and (
            self.part_number is None or self.part_number == part_number
        )

    def as_json(self) -> dict[str, Any]:
        """Return the rule as plain JSON values."""
        return asdict(self)


def rule_of_json(values: object) -> FaultRule:
    """Return the rule that a JSON object describes."""
    if not isinstance(values, dict):
        raise ValueError(f"a fault must be an object, not {values!r}")
    unknown = set(values) - {one.name for one in fields(FaultRule)}
    if unknown or "kind" not in values:
        raise ValueError(f"a fault needs a kind, and knows nothing of: {', '.join(sorted(unknown)) or '-'}")
    return FaultRule(**values)


def rules_of_json(document: object) -> list[FaultRule]:
    """Return the rules of a parsed plan: a list, or an object with the list ``faults``."""
    rules = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(rules, list):
        raise ValueError('a fault plan is a list of faults, or {"faults": [...]}')
    return [rule_of_json(rule) for rule in rules]


def load_rules(path: Path) -> list[FaultRule]:
    """Read a plan from a JSON file."""
    return rules_of_json(json.loads(path.read_text(encoding="utf-8")))


@dataclass(slots=True)
class PlannedFault:
    """Follow one rule: how many requests it saw and how often it fired."""

    rule: FaultRule
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.rule.seed)  # noqa: S311 - repeatable on purpose

    def takes(self) -> bool:
        """Count a matching request and tell whether this one gets the fault."""
        if self.rule.count is not None and self.fired >= self.rule.count:
            return False
        self.seen += 1
        if self.seen <= self.rule.skip or self.dice.random() >= self.rule.probability:
            return False
        self.fired += 1
        return True

    @property
    def is_spent(self) -> bool:
        """Tell whether all that was planned happened."""
        return self.fired >= (self.rule.count or 1)

    def as_json(self) -> dict[str, Any]:
        """Return the rule and its counters as plain JSON values."""
        return {"rule": self.rule.as_json(), "seen": self.seen, "fired": self.fired, "spent": self.is_spent}


class FaultPlan:
    """Hold the rules in force."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        self.faults = [PlannedFault(rule) for rule in rules]

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Append rules; those before keep their counters."""
        self.faults += [PlannedFault(rule) for rule in rules]

    def clear(self) -> None:
        """Forget all rules."""
        self.faults = []

    def take(self, operation: str, bucket: str, key: str, part_number: int | None) -> FaultRule | None:
        """Return the fault that a request gets, or None."""
        for fault in self.faults:
            if fault.rule.matches(operation, bucket, key, part_number) and fault.takes():
                return fault.rule
        return None
