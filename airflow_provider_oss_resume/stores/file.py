"""A checkpoint in a file: for programs without Airflow."""

from __future__ import annotations

import glob
import os
import tempfile
from pathlib import Path

from airflow_provider_oss_resume.upload.crashpoints import crash_point


class FileStore:
    """Keep a checkpoint in one file, replaced as a whole so that a crash never leaves half of one.

    :param path: of the file; its directory is made if need be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def load(self) -> str | None:
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def save(self, text: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            crash_point("inside_checkpoint_write")
            os.replace(name, self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)
        for left_over in self._path.parent.glob(f".{glob.escape(self._path.name)}.????????.tmp"):
            left_over.unlink(missing_ok=True)  # of a kill inside save()
