"""What a try sent, and what it reused; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


@dataclass(frozen=True, slots=True)
class TransferCounts:
    """Count the bytes and the parts that a try sent, and those that it reused.

    :param bytes_sent: repeated attempts included.
    :param bytes_reused: bytes of the reused parts.
    :param parts_sent: parts that this try has sent, to an upload that is gone as well; each counts once.
    :param parts_reused: parts of the object that this try did not send, and verified.
    :param parts_retried: attempts to send a part beyond its first.
    """

    bytes_sent: int = 0
    bytes_reused: int = 0
    parts_sent: int = 0
    parts_reused: int = 0
    parts_retried: int = 0

    def __add__(self, other: TransferCounts) -> TransferCounts:
        return TransferCounts(
            self.bytes_sent + other.bytes_sent,
            self.bytes_reused + other.bytes_reused,
            self.parts_sent + other.parts_sent,
            self.parts_reused + other.parts_reused,
            self.parts_retried + other.parts_retried,
        )


class ReadsTransferCounts:
    """Read the numbers of ``counts`` as attributes."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def counts(self) -> TransferCounts: ...

    @property
    def bytes_sent(self) -> int:
        """Return the bytes sent by this try, repeated attempts included."""
        return self.counts.bytes_sent

    @property
    def bytes_reused(self) -> int:
        """Return the bytes of the reused parts."""
        return self.counts.bytes_reused

    @property
    def parts_sent(self) -> int:
        """Return the parts that this try has sent, to an upload that is gone as well; each counts once."""
        return self.counts.parts_sent

    @property
    def parts_reused(self) -> int:
        """Return the parts that this try did not send, and verified."""
        return self.counts.parts_reused

    @property
    def parts_retried(self) -> int:
        """Return the attempts to send a part beyond its first."""
        return self.counts.parts_retried
