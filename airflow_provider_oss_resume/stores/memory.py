"""A checkpoint in memory: lives as long as the process; for tests and for retries within one program."""

from __future__ import annotations


class MemoryStore:
    """Keep a checkpoint in this object."""

    def __init__(self) -> None:
        self.text: str | None = None

    def load(self) -> str | None:
        return self.text

    def save(self, text: str) -> None:
        self.text = text

    def delete(self) -> None:
        self.text = None
