"""Copy many files at the same time.

fsspec pairs each source with its target, then copies one after another. Here its method only returns the pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AT_ONCE = 8
"""Files copied at the same time; a large one has several connections of its own."""

Pair = tuple[str, str]


class PairsOnly:
    """A file system that notes what it is to copy instead of copying it.

    :param fs: answers everything else.
    :ivar pairs: source and target of each file.
    """

    def __init__(self, fs: Any) -> None:
        self._fs = fs
        self.pairs: list[Pair] = []

    def __getattr__(self, name: str) -> Any:
        """Answer as the file system does."""
        return getattr(self._fs, name)

    def isdir(self, path: str) -> bool:
        """Return whether there is a directory; a user who may only write can still write to a key."""
        try:
            found: bool = self._fs.isdir(path)
        except PermissionError:
            return False
        return found

    def _note(self, source: str, target: str, **_: Any) -> None:
        self.pairs.append((source, target))

    cp_file = get_file = put_file = _note


def for_each(copy: Callable[[Pair], None], pairs: Iterable[Pair]) -> None:
    """Call ``copy`` for each pair, on a few threads; after an error no other starts, and the error is raised."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="oss-resume-copy") as threads:
        try:
            for _ in threads.map(copy, pairs):
                pass
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise
