"""A checkpoint in memory, for tests and for retries within one program."""

from __future__ import annotations

from collections.abc import Iterator


class MemoryStore:
    """Keep a checkpoint in this object.

    :ivar text: the stored text.
    """

    def __init__(self) -> None:
        self.text: str | None = None

    def load(self) -> str | None:
        return self.text

    def save(self, text: str) -> None:
        self.text = text

    def delete(self) -> None:
        self.text = None

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the stored text under the key ``"memory"``; see :class:`.ListableStore`."""
        if self.text is not None:
            yield "memory", self.text

    def remove(self, store_key: str) -> None:
        """Delete the stored text if that is its key."""
        if store_key == "memory":
            self.delete()
