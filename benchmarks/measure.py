"""Run contenders in processes of their own and compare them round by round."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contenders import command_of, environment_for
from benchmarks.sink import Settings
from benchmarks.stage import REPOSITORY, running_sink
from benchmarks.usage import Usage, seconds_of
from benchmarks.work import Work

LONGEST = 300.0
"""Seconds after which a contender has failed."""


class ContenderError(Exception):
    """A contender failed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold time and memory of one run.

    :param used: from after the imports until the work was done.
    :param whole: the whole process, interpreter and imports included; its memory is the peak itself.
    :param reported: what the contender printed as its own figures.
    :param seen: what the sink counted; empty with TLS.
    """

    used: Usage
    whole: Usage
    reported: Mapping[str, Any]
    seen: Mapping[str, Any]


def run(contender: str, work: Work, settings: Settings) -> Sample:
    """Run a contender against a new sink."""
    with tempfile.TemporaryDirectory(prefix="oss-bench-") as scratch, running_sink(settings) as sink:
        printed, whole = _spawn(contender, replace(work, url=sink.url, scratch=scratch))
        seen = {} if settings.certificate else sink.counts()
    if not printed:  # a program without our output: only the whole process is measured
        return Sample(whole, whole, {}, seen)
    values = json.loads(printed.splitlines()[-1])
    return Sample(Usage(values["wall"], values["cpu"], values["memory"]), whole, values["reported"], seen)


def _spawn(contender: str, work: Work) -> tuple[str, Usage]:
    """Return the output of a contender and the usage of its process."""
    output, errors = Path(work.scratch, "stdout"), Path(work.scratch, "stderr")
    start = time.perf_counter()
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        process = subprocess.Popen(
            command_of(contender, work), stdout=stdout, stderr=stderr, cwd=REPOSITORY, env=environment_for(work)
        )
        with _killed_when_late(process):
            _, status, usage = os.wait4(process.pid, 0)  # Popen's own wait would lose the usage
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ContenderError(f"{contender}: {errors.read_text(errors='replace').strip()[-600:]}")
    text = "" if contender == "ossutil" else output.read_text(encoding="utf-8")
    return text, Usage(wall, seconds_of(usage), usage.ru_maxrss)


@contextlib.contextmanager
def _killed_when_late(process: subprocess.Popen[bytes]) -> Iterator[None]:
    timer = threading.Timer(LONGEST, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


Round = Mapping[str, Sample]


def paired(
    contenders: Sequence[str], work: Work, settings: Settings, rounds: int, report: Callable[[str], None]
) -> list[Round]:
    """Run each contender once a round, in an order that is reversed after each round."""
    done: list[Round] = []
    for number in range(rounds):
        order = contenders if number % 2 == 0 else list(reversed(contenders))
        samples = {}
        for contender in order:
            samples[contender] = sample = run(contender, work, settings)
            report(f"    {contender}: {sample.used.wall:.2f} s, CPU {sample.used.cpu:.2f} s")
        done.append(samples)
    return done


def median(rounds: Sequence[Round], contender: str, metric: str, part: str = "used") -> float:
    """Return a contender's median.

    :param metric: ``wall``, ``cpu`` or ``memory``.
    :param part: ``used`` or ``whole``.
    """
    return statistics.median(_value(one[contender], metric, part) for one in rounds)


def ratio(rounds: Sequence[Round], contender: str, against: str, metric: str) -> float:
    """Return the median of one contender's value divided by another's of the same round."""
    return statistics.median(_value(one[contender], metric) / _value(one[against], metric) for one in rounds)


def _value(sample: Sample, metric: str, part: str = "used") -> float:
    return float(getattr(getattr(sample, part), metric))
