"""What a process has used, as the operating system counts it."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold seconds of wall and CPU time (user and system), and KiB of memory."""

    wall: float
    cpu: float
    memory: int


def seconds_of(usage: resource.struct_rusage) -> float:
    """Return user and system time together."""
    return usage.ru_utime + usage.ru_stime


def begin() -> Usage:
    """Record the time and the memory in use, and reset the peak: imports are not measured."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return Usage(time.perf_counter(), seconds_of(resource.getrusage(resource.RUSAGE_SELF)), _memory("VmRSS"))


def since(start: Usage) -> Usage:
    """Return what was used since, with the peak of memory above what was in use then."""
    wall, cpu = time.perf_counter(), seconds_of(resource.getrusage(resource.RUSAGE_SELF))
    return Usage(wall - start.wall, cpu - start.cpu, _memory("VmHWM") - start.memory)


def _memory(name: str) -> int:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
