"""Where a checkpoint lives: the interface. Implementations are in ``stores/``."""

from __future__ import annotations

from typing import Protocol


class CheckpointStore(Protocol):
    """Keep one text, under a name the store knows, across tries and machines.

    The engine calls a store from one thread only. A store may raise anything: a
    failed call is logged and tried again later, it never fails an upload. Only
    :class:`UploadCancelled` counts: a store raises it when it learns that this
    process is not meant to run any more.
    """

    def load(self) -> str | None:
        """Return the text, or ``None`` where there is none."""
        ...

    def save(self, text: str) -> None:
        """Keep the text instead of the one before."""
        ...

    def delete(self) -> None:
        """Forget the text; none being there is no error."""
        ...


class NoStore:
    """Keep nothing."""

    def load(self) -> str | None:
        return None

    def save(self, text: str) -> None:
        """Drop the text."""

    def delete(self) -> None:
        """Do nothing."""
