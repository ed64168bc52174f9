"""What it means when Airflow does not answer any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_oss_resume.exceptions import UploadCancelled

_GONE = (BrokenPipeError, EOFError, ConnectionResetError)


@contextmanager
def airflow_calls() -> Iterator[None]:
    """Turn a broken connection to Airflow's supervisor into an order to stop.

    The supervisor outlives its task unless it was killed; the task is then an orphan
    beside which Airflow will start another try.
    """
    try:
        yield
    except _GONE as error:
        raise UploadCancelled(
            f"Airflow's supervisor of this task is gone ({type(error).__name__}): stopping, a new try will go on"
        ) from error
