"""Which upload parts belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """Name an upload.

    :param upload_id: empty for an object that goes by one request.
    :param headers: what each request of the operation at hand carries.
    """

    bucket: str
    key: str
    upload_id: str
    headers: Mapping[str, str]
