"""Checkpoints in files, for programs without Airflow."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.exceptions import ConfigurationError


class FileStore:
    """Keep a checkpoint in one file, which is replaced as a whole: a crash never leaves half a checkpoint.

    :param path: of the file; its directory is created if it does not exist.
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
        # Beside the file: a rename replaces it in one step only within one file system.
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                # Before the rename: after a power cut some file systems have the new name without the bytes.
                os.fsync(file.fileno())
            crash_point("inside_checkpoint_write")
            os.replace(name, self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)
        # Eight characters are what mkstemp adds; any pattern that is wider could match another checkpoint.
        for left_over in self._path.parent.glob(f".{glob.escape(self._path.name)}.????????.tmp"):
            left_over.unlink(missing_ok=True)  # of a kill inside save()


class FileStoreDirectory:
    """List and delete the checkpoints that :class:`FileStore` keeps in one directory.

    :param directory: not searched recursively.
    :param pattern: names of the files, as :meth:`pathlib.Path.glob` reads it.
    """

    def __init__(self, directory: str | os.PathLike[str], pattern: str = "*.ckpt") -> None:
        self._directory = Path(directory)
        self._pattern = pattern

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the text of each file; see :class:`.ListableStore`."""
        for path in sorted(self._directory.glob(self._pattern)):
            if path.is_file() and (text := _text_of(path)) is not None:
                yield path.name, text

    def remove(self, store_key: str) -> None:
        """Delete a checkpoint.

        :param store_key: name of the file.
        :raises ConfigurationError: it is not the name of a file in the directory.
        """
        if store_key in ("", "..") or Path(store_key).name != store_key:
            raise ConfigurationError(f"store_key {store_key!r} is not a file name: pass a key that texts() yields")
        FileStore(self._directory / store_key).delete()


def _text_of(path: Path) -> str | None:
    """Return the text of a file; ``None`` if an upload has deleted it meanwhile."""
    try:
        # Damaged bytes make an unreadable checkpoint, which is listed, and no error that ends the listing.
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
