"""The work of one contender, passed to its process as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

ACCESS_KEY_ID = "bench-id"
ACCESS_KEY_SECRET = "bench-secret"
REGION = "cn-hangzhou"
BUCKET = "examplebucket"
KEY = "bench/object.bin"


@dataclass(frozen=True, slots=True)
class Work:
    """Hold the files to upload and the settings of the upload.

    :param url: of the sink.
    :param files: paths; more than one means one PutObject each.
    :param size: bytes of each file.
    :param certificate: to trust, if the sink speaks TLS.
    :param scratch: folder for checkpoints, empty at the start.
    :param options: for one contender alone.
    """

    url: str
    files: tuple[str, ...]
    size: int
    part_size: int
    threads: int
    certificate: str = ""
    scratch: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Work:
        values = json.loads(text)
        return Work(**{**values, "files": tuple(values["files"])})

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Return offset and length of each part."""
        starts = range(0, self.size, self.part_size)
        return [(start, min(self.part_size, self.size - start)) for start in starts]
