"""The codec of the ``attributes`` column."""

from __future__ import annotations

import json
from dataclasses import asdict

from airflow_provider_oss_resume.devserver.storage.records import Attributes


def encode(attributes: Attributes) -> str:
    """Return the attributes as JSON."""
    return json.dumps(asdict(attributes))


def decode(text: str) -> Attributes:
    """Return the attributes of a stored row."""
    return Attributes(**json.loads(text))
