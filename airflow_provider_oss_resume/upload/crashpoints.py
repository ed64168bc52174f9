"""Named moments at which a test kills the process for real.

``OSS_RESUME_CRASH_AT=before_complete`` makes the process send itself SIGKILL
when it comes to that point, ``=after_part:3`` when it does for the third time.
``tests/crash`` finds all points by reading the
source for calls of :func:`crash_point`, so a new one cannot be left untested.
"""

from __future__ import annotations

import itertools
import os
import signal

ENVIRONMENT_VARIABLE = "OSS_RESUME_CRASH_AT"

_crash_at, _, _time = os.environ.get(ENVIRONMENT_VARIABLE, "").partition(":")
_passes = itertools.count(1)


def crash_point(name: str) -> None:
    """Kill this process if a test asked for it here."""
    if name == _crash_at and next(_passes) == int(_time or 1):
        os.kill(os.getpid(), signal.SIGKILL)
