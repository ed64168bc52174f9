"""Detect that Airflow's supervisor of this task has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_oss_resume.exceptions import UploadCancelled

_CONNECTION_LOST = (BrokenPipeError, EOFError, ConnectionResetError)


@contextmanager
def airflow_calls() -> Iterator[None]:
    """Turn a broken connection to Airflow's supervisor into a stop request.

    The supervisor outlives its task unless it is killed. Airflow then starts another try while
    this one still runs.

    :raises UploadCancelled: the connection is broken.
    """
    try:
        yield
    except _CONNECTION_LOST as error:
        raise UploadCancelled(
            f"Airflow's supervisor of this task has ended ({type(error).__name__}): stopping; the next try resumes"
        ) from error
