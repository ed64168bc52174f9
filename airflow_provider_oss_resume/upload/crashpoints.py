"""Named moments at which a test kills the process for real.

``OSS_RESUME_CRASH_AT=before_complete`` makes the process send itself SIGKILL
when it comes to that point. ``tests/crash`` finds all points by reading the
source for calls of :func:`crash_point`, so a new one cannot be left untested.
"""

from __future__ import annotations

import os
import signal

ENVIRONMENT_VARIABLE = "OSS_RESUME_CRASH_AT"

_crash_at = os.environ.get(ENVIRONMENT_VARIABLE)


def crash_point(name: str) -> None:
    """Kill this process if a test asked for it here."""
    if name == _crash_at:
        os.kill(os.getpid(), signal.SIGKILL)
