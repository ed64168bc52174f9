"""What the bucket holds already: one listing for all keys, or HEAD requests if a listing costs more."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from airflow_provider_oss_resume.batch.catalog import BatchFile
from airflow_provider_oss_resume.exceptions import AccessDeniedError
from airflow_provider_oss_resume.oss.models import ListedObject

log = logging.getLogger(__name__)

_LEAST = 1000
_TIMES = 20
"""Objects listed for each file, at most: one page of a thousand costs about as much as twenty HEAD requests."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file, and what the listing says of its key.

    :param is_listed: the listing covers the key; otherwise nothing is known.
    :param listed: the object; ``None`` where there is none, or nothing is known.
    """

    file: BatchFile
    is_listed: bool = False
    listed: ListedObject | None = None


def common_prefix(first: str, last: str) -> str:
    """Return the prefix of all keys between two keys."""
    return os.path.commonprefix([first, last])  # noqa: RUF071 - by characters: keys are no paths


def with_listing(
    files: Iterable[BatchFile], listing: Callable[[], Iterator[ListedObject]], count: int
) -> Iterator[Candidate]:
    """Join files with a listing; both are in the order of their keys, as UTF-8.

    A listing with far more objects than files is given up, and so is one that is denied.

    :param files: the files.
    :param listing: begins the listing.
    :param count: number of files.
    """
    objects = _Listing(listing, _LEAST + _TIMES * count)
    for file in files:
        yield objects.find(file)


class _Listing:
    def __init__(self, listing: Callable[[], Iterator[ListedObject]], most: int) -> None:
        self._objects = listing()
        self._left = most
        self._next: ListedObject | None = None
        self._is_over = False
        self._is_useful = True

    def find(self, file: BatchFile) -> Candidate:
        wanted = file.key.encode()
        while self._is_useful and not self._is_over and (self._next is None or self._next.key.encode() < wanted):
            self._advance()
        if not self._is_useful:
            return Candidate(file)
        if self._next is not None and self._next.key == file.key:
            return Candidate(file, is_listed=True, listed=self._next)
        return Candidate(file, is_listed=True)

    def _advance(self) -> None:
        if not self._left:
            log.info("the bucket has far more objects than there are files: sending a HEAD request for each file")
            self._is_useful = False
            return
        self._left -= 1
        try:
            self._next = next(self._objects, None)
            self._is_over = self._next is None
        except AccessDeniedError as error:
            log.info("no permission to list objects (%s): sending a HEAD request for each file", error)
            self._is_useful = False
