"""Exports in this process: where from, where to, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_oss_resume.checkpoint.record import Checkpoint, decode
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.export import (
    CursorRows,
    Exporter,
    ExportProgress,
    ExportRequest,
    ExportResult,
    Limits,
    Output,
    PostgresCopy,
    Query,
)
from airflow_provider_oss_resume.export.exported_object import read_section
from airflow_provider_oss_resume.export.rows.row_source import RowSource
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Owner
from tests.export.postgres import Postgres

BUCKET = "examplebucket"
PART = 200 * 1024


@dataclass
class Scene:
    """One object's export."""

    postgres: Postgres
    server: DevServer
    client: OSSClient
    key: str
    store: MemoryStore = field(default_factory=MemoryStore)
    tries: int = 0
    seen: list[ExportProgress] = field(default_factory=list)

    def source(self, query: Query, output: Output, driver: str = "psycopg2", *, fast_path: bool = True) -> RowSource:
        if fast_path:
            return PostgresCopy(self.postgres.connect(driver), query, output.copy_format)
        return CursorRows(lambda: self.postgres.connect(driver), query, output.row_format)

    def request(self, output: Output, order_by: tuple[str, ...] = (), **settings: Any) -> ExportRequest:
        limits = Limits(
            settings.pop("part_size", PART), settings.pop("split_size", None), settings.pop("split_rows", None)
        )
        key = settings.pop("key", self.key)
        return ExportRequest(BUCKET, key, output, order_by, limits, **settings)

    def export(
        self,
        sql: str,
        output: Output | None = None,
        order_by: tuple[str, ...] = (),
        *,
        source: RowSource | None = None,
        parameters: Any = None,
        cancel: Cancel | None = None,
        durable: bool = True,
        watch: Callable[[], None] | None = None,
        **settings: Any,
    ) -> ExportResult:
        """Make one try."""
        output = output or Output()
        self.tries += 1
        self.server.clear_requests()
        exporter = Exporter(
            self.client,
            self.store if durable else None,
            owner=Owner(try_number=self.tries),
            progress=self.seen.append,
            watch=watch,
        )
        rows = source or self.source(Query(sql, parameters, order_by), output)
        return exporter.export(rows, self.request(output, order_by, **settings), cancel)

    def stop_after(self, parts: int) -> Callable[[], None]:
        """Return a function that stops the try once this many of its parts are in the bucket."""

        def watch() -> None:
            if sum(self.parts_sent().values()) >= parts:
                raise UploadCancelled("stopped by the test")

        return watch

    def content(self, key: str | None = None) -> bytes:
        """Return the object's bytes."""
        with self.client.get_object(BUCKET, key or self.key) as (_info, blocks):
            return b"".join(bytes(block) for block in blocks)

    def exists(self, key: str | None = None) -> bool:
        return any(one.key == (key or self.key) for one in self.client.list_objects(BUCKET))

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint that the last try left."""
        return decode(self.store.load() or "")

    def kept(self) -> int:
        """Return how many parts the bucket holds of the upload in the checkpoint."""
        found = self.checkpoint()
        return len(list(self.client.list_parts(BUCKET, found.key, found.upload_id)))

    def finished(self) -> list[str]:
        """Return the keys of the complete objects that the checkpoint of a split export lists."""
        tag = self.checkpoint().fingerprint.tag
        return [one.key for one in read_section(self.store.load(), tag).objects]

    def uploads(self) -> int:
        """Return how many uploads of the key are in progress."""
        return len(list(self.client.list_multipart_uploads(BUCKET, self.key)))

    def server_puts(self, key: str) -> int:
        """Return how many requests with data the server got for a key."""
        return sum(one.key == key and one.operation in ("UploadPart", "PutObject") for one in self.server.requests())

    def parts_sent(self) -> Counter[int]:
        """Return how often the last try sent each part."""
        sent = (one for one in self.server.requests() if one.operation == "UploadPart" and one.status == 200)
        return Counter(one.part_number for one in sent if one.part_number is not None)
