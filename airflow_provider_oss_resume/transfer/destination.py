"""The object and the upload that requests go to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Destination:
    """Name an upload.

    :param upload_id: empty for an object that is stored by one PutObject.
    :param headers: sent with each request of the operation.
    """

    bucket: str
    key: str
    upload_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
