"""The checkpoints of several uploads as one text, and the uploads that any stored text names."""

from __future__ import annotations

import json
from collections.abc import Mapping

from airflow_provider_oss_resume.checkpoint.record import Checkpoint, decode

_SCHEMA = 1


def encode_set(texts: Mapping[str, str]) -> str:
    """Return the text of many checkpoints.

    :param texts: of single checkpoints, by the key of the object.
    """
    return json.dumps({"batch": _SCHEMA, "checkpoints": dict(texts)}, separators=(",", ":"))


def decode_set(text: str) -> dict[str, str] | None:
    """Return the texts of single checkpoints by the key of the object; ``None`` if the text is not one of many."""
    try:
        document = json.loads(text)
        if document["batch"] != _SCHEMA:
            return None
        return {str(key): str(value) for key, value in document["checkpoints"].items()}
    # RecursionError: JSON of a hundred thousand brackets, which a listing has to survive like any other text.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def decode_all(text: str) -> list[Checkpoint]:
    """Return the checkpoints that a text holds: one, or those of the files of a batch that are in progress.

    :raises CheckpointError: one of them cannot be read.
    """
    texts = decode_set(text)
    return [decode(text)] if texts is None else [decode(one) for one in texts.values()]
