"""The fault plan: which request gets which fault, and whether every planned fault fired.

A plan is an ordered list of rules. A request gets the fault of the first rule that matches
it and is not exhausted. A rule lets ``skip`` requests pass, then fires ``count`` times (None:
always), each time with its ``probability``. Each rule has its own random seed, so the same
requests get the same faults in every run.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.devserver.faults import values


class FaultKind(str, Enum):
    """Name the kind of a fault."""

    REPLY = "reply"  # reply with ``status`` and ``code`` (or ``body``) instead of the operation
    ERROR_BODY = "error_body"  # the same with HTTP 200: the status says success, the XML says error
    DELAY = "delay"  # wait ``seconds`` before the body is read, or ``after`` the operation
    THROTTLE = "throttle"  # read the body at ``bytes_per_second``
    RESET = "reset"  # reset the connection ``before``, in the ``middle`` of or ``after`` the body
    DROP_REPLY = "drop_reply"  # do the operation, then reset the connection instead of replying
    CORRUPT = "corrupt"  # flip a bit of the byte at ``offset``: in transit (``before``) or at rest (``after``)
    EXPIRE_TOKEN = "expire_token"
    UPLOAD_GONE = "upload_gone"  # abort the upload, then serve the request


class FaultMoment(str, Enum):
    """Name when a fault happens, for the kinds that have a choice."""

    BEFORE = "before"
    MIDDLE = "middle"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class FaultRule:
    """Describe a fault and the requests that get it.

    :param operation: name such as ``UploadPart``; a pattern with ``*`` is allowed, as for bucket and key.
    :param skip: number of matching requests that pass before the first fault.
    :param count: how often it fires; None for always.
    :param when: moment of a delay, reset or corruption.
    :param after_bytes: where a reset in the middle of a body cuts it; None for half.
    :param offset: the byte that ``corrupt`` changes.
    :param body: text sent instead of OSS's error XML, such as a proxy's HTML page.
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
        object.__setattr__(self, "kind", values.choose(FaultKind, "kind", self.kind))
        object.__setattr__(self, "when", values.choose(FaultMoment, "when", self.when))
        values.check({one.name: getattr(self, one.name) for one in fields(self)})

    def matches(self, operation: str, bucket: str, key: str, part_number: int | None) -> bool:
        """Return whether the rule names a request."""
        named = ((operation, self.operation), (bucket, self.bucket), (key, self.key))
        return all(fnmatchcase(value, pattern) for value, pattern in named) and (
            self.part_number is None or self.part_number == part_number
        )

    def can_happen(self, body_bytes: int | None, upload_id: str | None) -> bool:
        """Return whether a request has what the fault needs: an upload id, or the byte of a body.

        A fault on any other request would count as fired without effect. ``None`` is unknown or irrelevant.
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
        raise ValueError(f"fault {values!r} is not an object: write an object with a kind")
    known = [one.name for one in fields(FaultRule)]
    if unknown := sorted(set(values).difference(known)):
        raise ValueError(f"unknown field {', '.join(unknown)}: use {', '.join(known)}")
    if "kind" not in values:
        raise ValueError(f"a fault has no kind: add one of {', '.join(kind.value for kind in FaultKind)}")
    return FaultRule(**values)


def rules_of_json(document: object) -> list[FaultRule]:
    """Return the rules of a parsed plan: a list, or an object with the list ``faults``."""
    rules = document.get("faults") if isinstance(document, dict) else document
    if not isinstance(rules, list):
        raise ValueError('the fault plan has no list of faults: write a list, or {"faults": [...]}')
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
    except ValueError as error:  # also raised for text that is not JSON or not UTF-8
        raise ValueError(f"file {str(path)!r} is not a fault plan: {error}") from None


@dataclass(slots=True)
class PlannedFault:
    """Count how many requests one rule has matched and how often it has fired."""

    rule: FaultRule
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.rule.seed)  # noqa: S311 - repeatable on purpose

    def fires(self) -> bool:
        """Count a matching request and tell whether it gets the fault."""
        if self.rule.count is not None and self.fired >= self.rule.count:
            return False
        self.seen += 1
        if self.seen <= self.rule.skip or self.dice.random() >= self.rule.probability:
            return False
        self.fired += 1
        return True

    @property
    def is_exhausted(self) -> bool:
        """Return whether the rule has fired as often as planned."""
        return self.fired >= (self.rule.count or 1)

    def as_json(self) -> dict[str, Any]:
        """Return the rule and its counters as plain JSON values."""
        return {"rule": self.rule.as_json(), "seen": self.seen, "fired": self.fired, "spent": self.is_exhausted}


class FaultPlan:
    """Hold the rules in force.

    :param operations: names of all operations; a rule that matches none of them is refused.
    """

    def __init__(self, rules: Iterable[FaultRule] = (), operations: Collection[str] = ()) -> None:
        self._operations = operations
        self._cleared = asyncio.Event()
        self.faults: list[PlannedFault] = []
        self.add(rules)

    def add(self, rules: Iterable[FaultRule]) -> None:
        """Append rules; the earlier ones keep their counters."""
        added = list(rules)
        self.check(added)
        self.faults += [PlannedFault(rule) for rule in added]

    def check(self, rules: Iterable[FaultRule]) -> None:
        """Refuse a rule that matches no operation and can never fire.

        :raises ValueError: names the known operations.
        """
        for rule in rules:
            if self._operations and not any(fnmatchcase(name, rule.operation) for name in self._operations):
                known = ", ".join(sorted(self._operations))
                raise ValueError(f"operation {rule.operation!r} does not exist: use one of {known}")

    def clear(self) -> None:
        """Remove all rules, and end the delays that are under way."""
        self.faults = []
        self._cleared.set()
        self._cleared = asyncio.Event()

    async def delay(self, seconds: float) -> None:
        """Wait until the time is over or the plan is cleared.

        A test holds a request by a long delay and clears the plan when it has acted. The speed of the machine does not
        matter then.

        :param seconds: longest time to wait.
        """
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._cleared.wait(), seconds)

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
            if meant and fault.rule.can_happen(body_bytes, upload_id) and fault.fires():
                return fault.rule
        return None
