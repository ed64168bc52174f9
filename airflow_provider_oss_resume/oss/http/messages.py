"""Requests and replies as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Body(Protocol):
    """A request body of known length that can be read again for each attempt."""

    def __len__(self) -> int:
        """Return the number of bytes :meth:`__iter__` yields."""
        ...

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the bytes in blocks, from the start."""
        ...


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """Hold a signed request, ready to send."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)  # signature and token: some error trackers show the repr of locals
    body: bytes | Body = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class HTTPReply:
    """Hold a reply with its body.

    :param headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
