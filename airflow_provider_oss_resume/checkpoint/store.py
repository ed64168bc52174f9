"""The interface of a checkpoint store."""

from __future__ import annotations

from typing import Protocol


class CheckpointStore(Protocol):
    """Keep one text across tries and machines, under a name that the store knows.

    The engine calls a store from one thread only. A store may raise anything: a failed call is logged and tried again
    later, and never fails an upload. The exception is :class:`UploadCancelled`: a store raises it when it finds that
    this process has to stop.
    """

    def load(self) -> str | None:
        """Return the text; ``None`` if there is none."""
        ...

    def save(self, text: str) -> None:
        """Replace the text."""
        ...

    def delete(self) -> None:
        """Delete the text; it is no error if there is none."""
        ...


class NoStore:
    """Keep nothing."""

    def load(self) -> str | None:
        return None

    def save(self, text: str) -> None:
        """Ignore the text."""

    def delete(self) -> None:
        """Do nothing."""
