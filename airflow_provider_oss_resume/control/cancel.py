"""Stop a running upload: on request of a person, a signal handler or a deadline.

Airflow 3 kills the process 5 s after SIGTERM. The upload takes 4.6 s to stop if all of these hang:

- 0.1 s until the upload sees the request (``TICK``), and before that 0.5 s if the slower sender of a hedged part hangs
  (``HEDGE_TIMEOUT``);
- 1.0 s for parts in flight to finish (``FINISH_GRACE``) and 0.5 s for cut threads to end (``transfer.JOIN_TIMEOUT``),
  or 1.0 s for another interrupted call to end (``waiting._JOIN_TIMEOUT``);
- 2.0 s for the last checkpoint (``FLUSH_TIMEOUT``), or, to discard the parts, 1.5 s for the abort (``ABORT_TIMEOUT``)
  and 1.0 s for the delete of the checkpoint (``DISCARD_TIMEOUT``).
"""

from __future__ import annotations

from airflow_provider_oss_resume.exceptions import UploadCancelled

FINISH_GRACE = 1.0
"""Seconds that parts in flight get to finish by default: Airflow kills the process 5 s after SIGTERM."""


class Cancel:
    """A stop request for one upload.

    :meth:`request` runs inside signal handlers (``on_kill``), so it takes no lock: ``threading.Event.set`` in a handler
    deadlocks if the signal arrives while the same thread is inside ``wait``. The upload's calling thread reads
    ``reason`` several times a second and does the rest.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.discard = False
        self.grace = FINISH_GRACE

    def request(self, reason: str, *, discard: bool = False, grace: float = FINISH_GRACE) -> None:
        """Ask the upload to stop; of several requests the strictest counts.

        :param reason: appears in the error and in the log.
        :param discard: abort the upload instead of keeping its parts for the next try.
        :param grace: seconds that parts in flight get to finish.
        """
        self.discard = self.discard or discard
        self.grace = min(self.grace, grace) if self.reason else grace
        # Last: the calling thread reads the reason first, and must then find discard and grace as well.
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise :class:`UploadCancelled` if the upload was asked to stop."""
        if self.reason:
            raise UploadCancelled(self.reason)
