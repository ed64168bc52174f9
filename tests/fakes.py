"""Stand-ins with behaviour of their own, for what a test can't have for real: time, chance and a failing provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials


@dataclass
class FakeClock:
    """A clock that moves only when somebody sleeps on it."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Script:
    """A callable that plays its steps: exceptions are raised, anything else is returned; the last step stays."""

    steps: list[object]
    calls: int = 0

    def __call__(self) -> object:
        step = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        if isinstance(step, BaseException):
            raise step
        return step


@dataclass
class RenewableProvider:
    """A credentials provider whose tokens come one after another."""

    tokens: list[str]
    refreshes: int = 0
    access_key_id: str = "test-id"
    access_key_secret: str = "test-secret"

    def get_credentials(self) -> Credentials:
        token = self.tokens[min(self.refreshes, len(self.tokens) - 1)]
        return Credentials(self.access_key_id, self.access_key_secret, token)

    def refresh(self) -> None:
        self.refreshes += 1


@dataclass
class BlockBody:
    """A request body in blocks, as the engine has it: with the CRC-64 of what was last read.

    :ivar reads: how often it was read from the start.
    :ivar on_block: called with the position of each block before it is read.
    """

    content: bytes
    block_size: int = 64 * 1024
    crc64: int | None = None
    reads: int = 0
    on_block: Callable[[int], None] = lambda position: None

    def __len__(self) -> int:
        return len(self.content)

    def __iter__(self) -> Iterator[memoryview]:
        self.reads += 1
        self.crc64 = 0
        view = memoryview(self.content)
        for start in range(0, len(view), self.block_size):
            self.on_block(start)
            block = view[start : start + self.block_size]
            self.crc64 = crc64(block, self.crc64)
            yield block


def constant(value: float) -> Callable[[], float]:
    """Return dice that always show the same."""
    return lambda: value


def in_turn(values: Iterable[float]) -> Callable[[], float]:
    """Return dice that show the values one after another."""
    iterator = iter(values)
    return lambda: next(iterator)
