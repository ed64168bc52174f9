from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import sys
from airflow_provider_oss_resume.export import keep_memory_flat
sys.setswitchinterval({before})
keep_memory_flat(with_pyarrow=False)
print(sys.getswitchinterval())
"""


def interval_after(before: float) -> float:
    """In a process of its own: the interval is that of the whole process."""
    done = subprocess.run([sys.executable, "-c", CHILD.format(before=before)], capture_output=True, check=True)
    return float(done.stdout)


def test_threads_that_send_wait_half_a_millisecond_for_the_interpreter() -> None:
    assert interval_after(0.005) == pytest.approx(0.0005)


def test_an_interval_that_is_shorter_already_stays() -> None:
    assert interval_after(0.0001) == pytest.approx(0.0001, rel=0.05)
