"""Errors of OSS as those of a file system."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_oss_resume.exceptions import AccessDeniedError, AlreadyExistsError, NotFoundError, TargetError


@contextmanager
def as_os_errors(path: str = "", target: str | None = None) -> Iterator[None]:
    """Raise what callers of a file system expect: ``FileNotFoundError``, ``PermissionError``, ``FileExistsError``.

    :param path: that the error names; by default the object of the request that failed.
    :param target: of a copy, either of which may be what is missing.
    """
    try:
        yield
    except NotFoundError as error:
        named = path or error.details.resource
        text = f"{os.strerror(errno.ENOENT)} ({error.code})"
        raise FileNotFoundError(errno.ENOENT, text, named, None, target) from error
    except AccessDeniedError as error:
        raise PermissionError(errno.EACCES, str(error), path or error.details.resource) from error
    except AlreadyExistsError as error:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path or error.details.resource) from error
    except TargetError as error:
        raise OSError(errno.EIO, str(error), path) from error
