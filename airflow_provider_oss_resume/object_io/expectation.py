"""Whether a bucket holds an object that somebody waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from airflow_provider_oss_resume.exceptions import ConfigurationError, NotFoundError
from airflow_provider_oss_resume.oss import OSSClient, limits
from airflow_provider_oss_resume.oss.times import read_time

MATCHES = ("key", "wildcard", "regex")
_LARGEST = limits.MAX_PARTS * limits.MAX_PART_SIZE
_WILDCARD = re.compile(r"[*?\[]")
_LITERAL = re.compile(r"[\w/-]*")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Describe what an object must be like.

    :param min_size: least bytes.
    :param size: exact bytes.
    :param crc64: CRC-64 of its bytes.
    :param newer_than: it was modified after this moment.
    :raises ConfigurationError: no object meets them, or the moment has no time zone.
    """

    min_size: int | None = None
    size: int | None = None
    crc64: int | None = None
    newer_than: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what no object meets."""
        for name, value, limit in (
            ("min_size", self.min_size, _LARGEST),
            ("exact_size", self.size, _LARGEST),
            ("crc64", self.crc64, 2**64 - 1),
        ):
            if value is not None and not 0 <= value <= limit:
                raise ConfigurationError(f"{name} is {value}: no object has this value, write 0 to {limit}")
        if self.min_size is not None and self.size is not None and self.size < self.min_size:
            raise ConfigurationError(f"exact_size is {self.size} and min_size is {self.min_size}: leave min_size out")
        if self.newer_than is not None and self.newer_than.tzinfo is None:
            raise ConfigurationError(f"newer_than is {self.newer_than}: it needs a time zone, such as +00:00")

    def allow(self, size: int, modified: str) -> bool:
        """Return whether size and time of an object meet the conditions."""
        return (
            (self.min_size is None or size >= self.min_size)
            and self.size in (None, size)
            and (self.newer_than is None or read_time(modified) > self.newer_than)
        )


_NONE = Conditions()


@dataclass(frozen=True, slots=True)
class Expectation:
    """Describe an object that is to be there.

    :param key: a key, a pattern with ``*``, ``?`` and ``[]``, or a regular expression for the whole key.
    :param match: how ``key`` is read: ``key``, ``wildcard`` or ``regex``.
    :param conditions: what the object must be like.
    :raises ConfigurationError: a value cannot work.
    """

    bucket: str
    key: str
    match: str = "key"
    conditions: Conditions = _NONE

    def __post_init__(self) -> None:
        """Refuse conditions that no object can meet."""
        if self.match not in MATCHES:
            raise ConfigurationError(f"match is {self.match!r}: use {', '.join(MATCHES)}")
        if self.match == "regex":
            try:
                re.compile(self.key)
            except re.error as error:
                raise ConfigurationError(f"key {self.key!r} is not a regular expression: {error}") from error

    def find(self, client: OSSClient) -> str | None:
        """Return the key of the first object that meets it; ``None`` if there is none yet."""
        if self.match == "key":
            return self.key if self._is_met(client, self.key) else None
        needs_head = self.conditions.crc64 is not None
        return next((key for key in self._candidates(client) if not needs_head or self._is_met(client, key)), None)

    def _is_met(self, client: OSSClient, key: str) -> bool:
        try:
            info = client.head_object(self.bucket, key)
        except NotFoundError as error:
            if error.code == "NoSuchBucket":
                raise
            return False
        return self.conditions.allow(info.size, info.last_modified) and self.conditions.crc64 in (None, info.crc64)

    def _candidates(self, client: OSSClient) -> Iterator[str]:
        for found in client.list_objects(self.bucket, self._prefix()):
            if self._names(found.key) and self.conditions.allow(found.size, found.last_modified):
                yield found.key

    def _names(self, key: str) -> bool:
        # fnmatchcase(): keys differ by case on every system.
        return fnmatchcase(key, self.key) if self.match == "wildcard" else bool(re.fullmatch(self.key, key))

    def _prefix(self) -> str:
        """Return what every matching key begins with, so that not the whole bucket is listed."""
        if self.match == "wildcard":
            return _WILDCARD.split(self.key, maxsplit=1)[0]
        literal = _LITERAL.match(self.key)
        # An alternative may begin in another way. Anywhere in the pattern: to find out where would need a parser.
        if "|" in self.key or literal is None:
            return ""
        end = literal.end()
        # The character before such a quantifier may be missing: ab?c matches ac.
        optional = end < len(self.key) and self.key[end] in "?*{"
        return literal[0][:-1] if optional else literal[0]


def still_missing(client: OSSClient, expectations: list[Expectation]) -> tuple[list[str], list[str]]:
    """Return the keys that were found and the descriptions of what is missing."""
    found: list[str] = []
    missing: list[str] = []
    for one in expectations:
        key = one.find(client)
        if key is None:
            missing.append(f"oss://{one.bucket}/{one.key}")
        else:
            found.append(key)
    return found, missing


def as_values(expectation: Expectation) -> dict[str, object]:
    """Return plain values, which Airflow can store for a trigger."""
    wanted = expectation.conditions
    return {
        "bucket": expectation.bucket,
        "key": expectation.key,
        "match": expectation.match,
        "min_size": wanted.min_size,
        "size": wanted.size,
        "crc64": None if wanted.crc64 is None else str(wanted.crc64),  # JSON readers lose digits of such numbers
        "newer_than": None if wanted.newer_than is None else wanted.newer_than.isoformat(),
    }


def from_values(values: dict[str, object]) -> Expectation:
    """Return the expectation of plain values."""
    wanted = {name: values[name] for name in ("min_size", "size", "crc64", "newer_than") if name in values}
    if isinstance(text := wanted.get("newer_than"), str):
        wanted["newer_than"] = datetime.fromisoformat(text)
    if isinstance(text := wanted.get("crc64"), str):
        wanted["crc64"] = int(text)
    place = {name: value for name, value in values.items() if name not in wanted}
    return Expectation(**place, conditions=Conditions(**wanted))  # type: ignore[arg-type]
