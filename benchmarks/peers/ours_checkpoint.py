"""This package's engine, with bytes and CPU time of its checkpoint counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.checkpoint.part_tracker import PartTracker
from airflow_provider_oss_resume.checkpoint.writer import WritePolicy
from airflow_provider_oss_resume.stores.file import FileStore
from airflow_provider_oss_resume.upload import Uploader
from benchmarks.peers.ours import make_client, make_request
from benchmarks.work import Work


class Account:
    """Count bytes written and CPU-seconds spent on them."""

    def __init__(self) -> None:
        self.writes = self.written = self.last = 0
        self.cpu = 0.0

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call`` with its CPU time added up, on any thread."""

        def measured(*args: Any) -> Any:
            start = time.thread_time()
            try:
                return call(*args)
            finally:
                self.cpu += time.thread_time() - start

        return measured


class CountingStore(FileStore):
    """A file store that counts the bytes written."""

    def __init__(self, path: Path, account: Account) -> None:
        super().__init__(path)
        self._account = account

    def save(self, text: str) -> None:
        account = self._account
        account.writes += 1
        account.written += len(text)
        account.last = len(text)
        account.timed(super().save)(text)


def prepare(work: Work) -> Callable[[], dict[str, Any]]:
    account = Account()
    store = CountingStore(Path(work.scratch) / "checkpoint.json", account)
    PartTracker.text = account.timed(PartTracker.text)  # type: ignore[method-assign]  # it has no seam of its own, nor needs one
    uploader = Uploader(make_client(work), store, write_policy=WritePolicy(interval=work.options["interval"]))

    def upload() -> dict[str, Any]:
        uploader.upload(make_request(work))
        return {"writes": account.writes, "written": account.written, "last": account.last, "cpu": account.cpu}

    return upload
