"""Faults on purpose: which request gets which, and whether every planned one happened.

A plan is an ordered list of rules. Each request takes the first rule that matches it and
still has something to give; a rule may first let ``skip`` requests pass, fires ``count``
times (None: always) and each time only with its ``probability``, thrown with its own seed,
so that a plan gives the same faults in every run with the same requests.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.devserver import fault_values


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
        object.__setattr__(self, "kind", fault_values.choose(FaultKind, "kind", self.kind))
        object.__setattr__(self, "when", fault_values.choose(FaultMoment, "when", self.when))
        fault_values.check({one.name: getattr(self, one.name) for one in fields(self)})

    def matches(self, operation: str, bucket: str, key: str, part_number: int | None) -> bool:
        """Tell whether a request is one of those this rule is about."""
        named = ((operation, self.operation), (bucket, self.bucket), (key, self.key))
        return all(fnmatchcase(value, pattern) for value, pattern in named) and (
            self.part_number is None or self.part_number == part_number
        )

    def can_happen(self, body_bytes: int | None, upload_id: str | None) -> bool:
        """Tell whether a request has what the fault is about: an upload, or the byte of a body.

        Else it would count as fired, and nothing would have happened. ``None`` is not known, or does not matter.
        """
        if self.kind is FaultKind.UPLOAD_GONE:
            return upload_id != ""
        least = {FaultKind.THROTTLE: 1, FaultKind.CORRUPT: self.offset + 1}.get(self.kind, 0)
        return body_bytes is None or body_bytes >= least

    def as_json(self) -> dict[str, Any]:
        """Return the rule as plain JSON values."""
        return asdict(self)


def rule_of_json(values: object) -> FaultRule:
    """Return the rule that a JSON object describes."""
    if not isinstance(values, dict):
        raise ValueError(f"a fault must be an object, not {values!r}")
    known = [one.name for one in fields(FaultRule)]
    if unknown := sorted(set(values).difference(known)):
        raise ValueError(f"a fault has no {', '.join(unknown)}: its fields are {', '.join(known)}")
    if "kind" not in values:
        raise ValueError(f"a fault needs a kind: give one of {', '.join(kind.value for kind in FaultKind)}")
    return FaultRule(**values)


def rules_of_json(document: object) -> list[FaultRule]:
    """Return the rules of a parsed plan: a list, or an object with the list ``faults``."""
    rules = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(rules, list):
        raise ValueError('a fault plan is a list of faults, or {"faults": [...]}')
    return [_numbered(number, rule) for number, rule in enumerate(rules, 1)]


def _numbered(number: int, values: object) -> FaultRule:
    try:
        return rule_of_json(values)
    except ValueError as error:
        raise ValueError(f"fault {number} of the plan: {error}") from None


def load_rules(path: Path) -> list[FaultRule]:
    """Read a plan from a JSON file."""
    try:
        return rules_of_json(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:  # also what is no JSON and no UTF-8
        raise ValueError(f"{str(path)!r} holds no fault plan: {error}") from None


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
    """Hold the rules in force.

    :param operations: names of all that can be asked for; a rule about none of them is refused.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), operations: Collection[str] = ()) -> None:
        self._operations = operations
        self.faults: list[PlannedFault] = []
        self.add(rules)

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Append rules; those before keep their counters."""
        added = list(rules)
        self.check(added)
        self.faults += [PlannedFault(rule) for rule in added]

    def check(self, rules: Iterable[FaultRule]) -> None:
        """Raise ``ValueError`` for a rule about an operation that does not exist: it could never fire."""
        for rule in rules:
            if self._operations and not any(fnmatchcase(name, rule.operation) for name in self._operations):
                known = ", ".join(sorted(self._operations))
                raise ValueError(f"no operation is called {rule.operation!r}: there are {known}")

    def clear(self) -> None:
        """Forget all rules."""
        self.faults = []

    def take(
        self,
        operation: str,
        bucket: str,
        key: str,
        part_number: int | None,
        body_bytes: int | None = None,
        upload_id: str | None = None,
    ) -> FaultRule | None:
        """Return the fault that a request gets, or None."""
        for fault in self.faults:
            meant = fault.rule.matches(operation, bucket, key, part_number)
            if meant and fault.rule.can_happen(body_bytes, upload_id) and fault.takes():
                return fault.rule
        return None
