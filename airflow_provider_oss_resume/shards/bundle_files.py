"""The files of one bundle, read from the list of files in the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from airflow_provider_oss_resume.exceptions import NotFoundError, ObjectChangedError, PlanError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.shards.batch_plan import BatchPlan, Bundle
from airflow_provider_oss_resume.shards.batch_planning import read_list
from airflow_provider_oss_resume.sources.selection import SelectedFile, Selection
from airflow_provider_oss_resume.sources.source import Source


def fetch_bundle(client: OSSClient, plan: BatchPlan, bundle: Bundle, file: IO[bytes]) -> None:
    """Write the lines of the list of files that are of one bundle to a file.

    :raises PlanError: the list was deleted or replaced.
    """
    listed, last = plan.file_list, bundle.offset + bundle.length - 1
    try:
        client.read_range(
            plan.bucket, listed.key, bundle.offset, last, listed.etag, lambda _offset, block: _write(file, block)
        )
    except (NotFoundError, ObjectChangedError) as error:
        raise PlanError(
            f"the list of files {plan.bucket}/{listed.key} was deleted or replaced since the plan was made: clear the "
            "plan task with all tasks downstream of it"
        ) from error
    file.flush()


class BundleSelection:
    """The files of one bundle as a selection; each has its key already.

    :param file: the lines of the bundle.
    :param selection: opens the sources.
    """

    def __init__(self, file: IO[bytes], selection: Selection) -> None:
        self._file = file
        self._selection = selection

    def files(self) -> Iterator[SelectedFile]:
        self._file.seek(0)
        for one in read_list(self._file):
            yield SelectedFile(one.location, one.key, one.size)

    def source(self, location: str) -> Source:
        return self._selection.source(location)


def _write(file: IO[bytes], block: bytes) -> None:
    file.write(block)
