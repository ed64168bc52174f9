"""Read a file, and re-hash its parts: alternately, from memory and from the disk."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.local_file import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.sources.part_body import BLOCK_SIZE, new_buffer, rehash
from benchmarks.work import MIB, Work

_TURNS = 7


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    opened = LocalFile(work.files[0]).open()
    plan = PartPlan(work.size, work.part_size)
    buffer = new_buffer()

    def turn(cold: bool) -> tuple[float, float]:
        reading = _seconds(lambda: _read(work.files[0], buffer), work.files[0], cold)
        return reading, _seconds(lambda: _rehash(opened, plan, buffer), work.files[0], cold)

    def turns() -> dict[str, Any]:
        reported: dict[str, Any] = {}
        for name, cold in (("warm", False), ("cold", True)):
            taken = [turn(cold) for _ in range(_TURNS)]
            reported[name] = statistics.median(reading / hashing for reading, hashing in taken)
            reported[f"{name}_mib_s"] = work.size / MIB / statistics.median(reading for reading, _ in taken)
        return reported

    return turns


def _seconds(call: Callable[[], None], path: str, cold: bool) -> float:
    if cold:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _read(path: str, buffer: memoryview) -> None:
    with open(path, "rb", buffering=0) as file:
        position = 0
        while count := os.preadv(file.fileno(), [buffer[:BLOCK_SIZE]], position):
            position += count


def _rehash(opened: OpenLocalFile, plan: PartPlan, buffer: memoryview) -> None:
    for part in plan:
        rehash(opened, part, Part(part.number, part.length, "", 0), buffer, lambda: None)
