"""The types of the command's arguments. Each is checked before anything is opened."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError

from airflow_provider_oss_resume.devserver.errors import OSSError
from airflow_provider_oss_resume.devserver.http.addressing import check_bucket_name
from airflow_provider_oss_resume.devserver.numbers import whole

_LAST_PORT = 65_535
_CENTURY = 3.0e9  # seconds; a greater offset has no date


def bucket(name: str) -> str:
    """Return a bucket name."""
    try:
        check_bucket_name(name)
    except OSSError as error:
        wanted = "use 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end"
        raise ArgumentTypeError(f"{name!r}: {error.message} {wanted}") from None
    return name


def port(text: str) -> int:
    """Return a port."""
    port = whole(text)
    if port is None or port > _LAST_PORT:
        raise ArgumentTypeError(f"{text!r} is not a port: use 0 to {_LAST_PORT}, 0 for any free port")
    return port


def offset(text: str) -> float:
    """Return a clock offset in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not abs(seconds) < _CENTURY:  # NaN too
        raise ArgumentTypeError(f"{text!r} is not a clock offset: use seconds, such as 3600")
    return seconds


def key_id(text: str) -> str:
    """Return an access key id."""
    # These characters separate the id from the next field of an Authorization header.
    if not re.fullmatch(r"[!-~]+", text) or set(text) & set("/:,"):
        raise ArgumentTypeError(f"{text!r} is not an access key id: use letters, digits, '.', '_' or '-'")
    return text


def secret(text: str) -> str:
    """Return an access key secret."""
    if not text:
        raise ArgumentTypeError("the secret is empty: write a string, or omit the option")
    return text


def region(text: str) -> str:
    """Return a region id."""
    if not re.fullmatch(r"[a-z0-9-]+", text) or text.startswith("oss-"):
        raise ArgumentTypeError(f"{text!r} is not a region id: use one such as cn-hangzhou, without 'oss-'")
    return text
