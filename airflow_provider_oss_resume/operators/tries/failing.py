"""How errors of this package end a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss_resume.exceptions import OSSResumeError


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Fail the task without retries where a retry cannot help until a person changes something."""
    try:
        yield
    except OSSResumeError as error:
        if error.permanent:
            raise AirflowFailException(str(error)) from error
        raise
