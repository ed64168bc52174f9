"""This package's list of the files of a batch, filled with names and read once; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from airflow_provider_oss_resume.batch.catalog import Catalog
from airflow_provider_oss_resume.batch.key_template import KeyTemplate
from airflow_provider_oss_resume.sources.selection import SelectedFile
from benchmarks.work import Work


def prepare(work: Work) -> Callable[[], None]:
    count = work.options["names"]

    def names() -> Iterator[SelectedFile]:
        for number in range(count):
            relative = f"{number % 1000:03}/part-{number:09}.snappy.parquet"
            yield SelectedFile(f"/exports/2026-11-26/{relative}", relative, number)

    def list_all() -> None:
        with closing(Catalog()) as catalog:
            failed = list(catalog.fill(names(), KeyTemplate("exports/")))
            found = sum(1 for _ in catalog.small(count))
        if failed or found != count:
            raise RuntimeError(f"{found} of {count} names were listed")

    return list_all
