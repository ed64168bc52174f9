"""The command's arguments: each is refused, with what to give instead, before anything is opened."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError

from airflow_provider_oss_resume.devserver.addressing import check_bucket_name
from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.numbers import whole

_LAST_PORT = 65_535
_CENTURY = 3.0e9  # seconds; more would leave the calendar


def bucket(name: str) -> str:
    """Return a bucket's name."""
    try:
        check_bucket_name(name)
    except OSSError as error:
        wanted = "give 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end"
        raise ArgumentTypeError(f"{name!r}: {error.message} {wanted}") from None
    return name


def port(text: str) -> int:
    """Return a port."""
    port = whole(text)
    if port is None or port > _LAST_PORT:
        raise ArgumentTypeError(f"{text!r} is no port: give 0 to {_LAST_PORT}, 0 for any free one")
    return port


def offset(text: str) -> float:
    """Return the seconds that a clock is off by."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not abs(seconds) < _CENTURY:  # NaN too
        raise ArgumentTypeError(f"{text!r} is no time to be off by: give seconds, such as 3600")
    return seconds


def key_id(text: str) -> str:
    """Return an access key id."""
    # The others separate it from what stands behind it in an Authorization header.
    if not re.fullmatch(r"[!-~]+", text) or set(text) & set("/:,"):
        raise ArgumentTypeError(f"{text!r} is no access key id: give letters, digits, '.', '_' or '-'")
    return text


def secret(text: str) -> str:
    """Return an access key secret."""
    if not text:
        raise ArgumentTypeError("it is empty: give some text, or leave it out")
    return text


def region(text: str) -> str:
    """Return a region id."""
    if not re.fullmatch(r"[a-z0-9-]+", text) or text.startswith("oss-"):
        raise ArgumentTypeError(f"{text!r} is no region id: give one such as cn-hangzhou, without 'oss-'")
    return text
