"""Divide the parts of an upload among shards; pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import limits
from airflow_provider_oss_resume.upload.upload_request import require_between

MAX_SHARDS = limits.MAX_PARTS


@dataclass(frozen=True, slots=True)
class PartSpan:
    """Part numbers of one shard, both included."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """Return the number of parts."""
        return self.last - self.first + 1

    @property
    def numbers(self) -> range:
        """Return the part numbers."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        """Return the numbers for messages."""
        return f"parts {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """How many shards a plan has.

    :param planned: all of them; 0 where nothing has to be sent.
    :param running: those that run at the same time, which share the bandwidth limit.
    """

    planned: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class Sharding:
    """How many shards a plan may have.

    :param workers: shards at most; fewer where there are fewer parts.
    :param shards: the exact number of shards; ``None``: as many as ``workers`` allows.
    :param most: what the orchestrator allows: ``max_map_length`` of Airflow.
    :param at_once: shards that run at the same time, at most, as far as the caller limits it; ``None``: all.
    :raises ConfigurationError: a number is out of range.
    """

    workers: int
    shards: int | None = None
    most: int = 1024
    at_once: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for name, value in (("workers", self.workers), ("shards", self.shards), ("at_once", self.at_once)):
            if value is not None:
                require_between(name, value, 1, MAX_SHARDS)
        if self.shards is not None and self.shards > self.most:
            raise ConfigurationError(
                f"shards is {self.shards}, and Airflow maps a task at most {self.most} times: ask for fewer, or raise "
                "max_map_length in [core]"
            )

    def count(self, units: int, kind: str = "parts") -> int:
        """Return the number of shards.

        :param units: what cannot be divided further: parts or files.
        :param kind: what they are, for the message.
        :raises ConfigurationError: more shards are asked for than there are units.
        """
        if self.shards is not None and self.shards > units:
            raise ConfigurationError(
                f"shards is {self.shards}, and the source has {units} {kind}: ask for {units} at most, or use workers "
                "instead of shards"
            )
        return self.shards or min(self.workers, units, self.most)

    def running(self, count: int) -> int:
        """Return how many of so many shards run at the same time."""
        return min(count, self.workers, self.at_once or count)

    def counts(self, parts: int) -> ShardCounts:
        """Return the numbers of shards for so many parts.

        :raises ConfigurationError: more shards are asked for than there are parts.
        """
        count = self.count(parts)
        return ShardCounts(count, self.running(count))


def split_parts(count: int, shards: int) -> tuple[PartSpan, ...]:
    """Return adjacent spans of all parts whose lengths differ by one part at most.

    :param count: number of parts.
    :param shards: number of spans, at most ``count``.
    """
    ends = [count * index // shards for index in range(shards + 1)]
    return tuple(PartSpan(first + 1, last) for first, last in itertools.pairwise(ends))


def sharing(running: int, unfinished: Callable[[], int] | None) -> Callable[[], int]:
    """Return a function that returns how many shards share the bandwidth limit at present.

    Only those that are not finished: the last ones share what the others no longer need. No more than run at the same
    time: the next shard starts when one ends, and needs its share.

    :param running: shards that run at the same time.
    :param unfinished: returns how many shards are not finished; ``None``: unknown.
    """
    return lambda: running if unfinished is None else max(1, min(running, unfinished()))


FILE_COST = 1024 * 1024
"""Bytes as which each file counts besides its own: a small file costs a request, whatever its size."""


def weight(files: int, size: int) -> int:
    """Return what files cost, in bytes.

    :param size: bytes of all of them.
    """
    return size + files * FILE_COST


def share_out(weights: Sequence[int], shards: int) -> list[int]:
    """Return how many shards each weight gets, at least one; the heaviest shard is as light as can be.

    :param weights: at most as many as ``shards``.
    """
    given = [1] * len(weights)
    for _ in range(shards - len(weights)):
        heaviest = max(range(len(weights)), key=lambda index: weights[index] / given[index])
        given[heaviest] += 1
    return given
