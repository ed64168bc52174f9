"""How a person or a deadline tells a running upload to stop."""

from __future__ import annotations

from airflow_provider_oss_resume.exceptions import UploadCancelled

FINISH_GRACE = 1.0
"""Seconds that parts under way get to finish when nothing else is said: Airflow kills 5 s after it asks."""


class Cancel:
    """Ask an upload to stop.

    :meth:`request` runs inside signal handlers (``on_kill``), so it takes no lock:
    ``threading.Event.set`` in a handler deadlocks when the signal lands while the
    same thread is inside ``wait``. The upload's main thread looks at ``reason`` a
    few times a second and does the rest.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.discard = False
        self.grace = FINISH_GRACE

    def request(self, reason: str, *, discard: bool = False, grace: float = FINISH_GRACE) -> None:
        """Ask the upload to stop; of several requests the strictest counts.

        :param reason: stands in the error and the log.
        :param discard: throw the parts away too, instead of keeping them for the next try.
        :param grace: seconds that parts under way get to finish.
        """
        self.discard = self.discard or discard
        self.grace = min(self.grace, grace) if self.reason else grace
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise :class:`UploadCancelled` if the upload was asked to stop."""
        if self.reason:
            raise UploadCancelled(self.reason)
