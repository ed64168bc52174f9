"""Named points at which a test kills the process.

With ``OSS_RESUME_CRASH_AT=before_complete`` the process sends itself SIGKILL when it reaches that point, with
``=after_part:3`` when it reaches it for the third time. ``tests/crash`` reads the source for calls of
:func:`crash_point`, so every point is tested.
"""

from __future__ import annotations

import itertools
import os
import signal

ENVIRONMENT_VARIABLE = "OSS_RESUME_CRASH_AT"

_crash_at, _, _time = os.environ.get(ENVIRONMENT_VARIABLE, "").partition(":")
# A count and no number: sender threads pass the same point at once, and next() is one step.
_passes = itertools.count(1)


def crash_point(name: str) -> None:
    """Kill this process if a test requests it at this point."""
    if name == _crash_at and next(_passes) == int(_time or 1):
        os.kill(os.getpid(), signal.SIGKILL)
