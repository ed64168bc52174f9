"""One try of an export: read rows, and write one object after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from airflow_provider_oss_resume.control.crash_points import crash_point
from airflow_provider_oss_resume.control.waiting import run_watched
from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.export.cutter import Position
from airflow_provider_oss_resume.export.export_progress import ExportCounter
from airflow_provider_oss_resume.export.export_request import ExportRequest
from airflow_provider_oss_resume.export.exported_object import ExportedObject, Finished
from airflow_provider_oss_resume.export.formats.packer import Packer
from airflow_provider_oss_resume.export.object_parts import ObjectParts, PlacedPart
from airflow_provider_oss_resume.export.packing import PackedPart, packing
from airflow_provider_oss_resume.export.part_note import decode_note
from airflow_provider_oss_resume.export.pipeline import Pipeline, Stretch
from airflow_provider_oss_resume.export.prefix_check import why_changed
from airflow_provider_oss_resume.export.rows.row_source import RowSource
from airflow_provider_oss_resume.upload.stream.stream_upload import StreamUpload

log = logging.getLogger(__name__)

CONSISTENCY = (
    "a resumed export is made by several queries, one in each try: changes between two tries to rows before the last "
    "exported key are not seen; export a closed partition, or set verify_prefix"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Hold where rows come from and what they become.

    :param header: first bytes of each object.
    """

    source: RowSource
    packer: Packer
    header: bytes


@dataclass(frozen=True, slots=True)
class Uploads:
    """Hold how objects are uploaded.

    :param open: returns the upload of the object with an index, from 0.
    :param note_finished: called with the objects that are complete, before the next one starts.
    :param tick: called several times a second between two uploads; what it raises stops the export.
    """

    open: Callable[[int], StreamUpload]
    note_finished: Callable[[Finished], None]
    tick: Callable[[], None]


class ExportRun:
    """Export from where an earlier try stopped, or from the start; used once, by one thread."""

    def __init__(self, request: ExportRequest, rows: Rows, uploads: Uploads, counter: ExportCounter) -> None:
        self._request = request
        self._rows = rows
        self._uploads = uploads
        self._counter = counter
        self._finished = Finished()
        self._pipeline: Pipeline | None = None

    def run(self, finished: Finished) -> tuple[ExportedObject, ...]:
        """Export, and return the objects, each verified.

        :param finished: objects that earlier tries completed.
        :raises SourceError: the query failed; the parts are kept.
        :raises UploadCancelled: a stop request came; the parts are kept.
        """
        self._finished = finished
        try:
            if not self._resume():
                self._finished = Finished()
                self._resume()
            while self._request.is_split and (part := self._first_part_of_next()) is not None:
                with self._upload() as stream:
                    parts = ObjectParts(part.start.object_index)
                    self._fill(stream, parts, part)
                    self._end(stream, parts)
        finally:
            if self._pipeline is not None:
                self._pipeline.close()
        return self._finished.objects

    @contextmanager
    def _upload(self) -> Iterator[StreamUpload]:
        """Open the upload of the first object that is not complete."""
        with self._uploads.open(len(self._finished.objects)) as stream:
            try:
                yield stream
            except BaseException:  # Airflow's timeouts are no Exceptions
                if self._pipeline is not None:
                    self._pipeline.cancel()  # before the upload, which gives the parts in flight a moment
                raise

    # --- the object in progress

    def _resume(self) -> bool:
        """Write the object in progress to its end; return ``False`` if the objects before it are outdated."""
        with self._upload() as stream:
            parts = self._kept_parts(stream)
            if (why := self._why_changed(stream, parts)) is not None:
                stream.start_afresh(why)
                if self._finished.objects:
                    return False
                parts = ObjectParts(0)
            self._take_over(stream, parts)
            if not (parts.is_complete or stream.is_complete):
                self._start_reading(parts, stream)
                self._fill(stream, parts, self._next_of(stream))
            self._end(stream, parts)
        return True

    def _kept_parts(self, stream: StreamUpload) -> ObjectParts:
        """Return the parts of an earlier try after which this one continues.

        Without a key all rows are read again, and each part is compared when it is made, unless none is missing.
        """
        parts = ObjectParts(len(self._finished.objects))
        # A part that was found without its checkpoint has no note until it has been compared.
        while (held := stream.held.get(len(parts.parts) + 1)) is not None and held.note:
            parts.parts.append(PlacedPart(held.length, held.raw_crc64, decode_note(held.note)))
        is_kept = self._request.order_by or parts.is_complete or stream.is_complete
        return parts if is_kept else ObjectParts(parts.index)

    def _why_changed(self, stream: StreamUpload, parts: ObjectParts) -> str | None:
        source, how, finished = self._rows.source, self._request.verify_prefix, self._finished
        return run_watched(lambda: why_changed(source, how, finished, parts), stream.tick, source.cancel)

    def _take_over(self, stream: StreamUpload, parts: ObjectParts) -> None:
        for one in self._finished.objects:
            self._counter.note_earlier(one)
        for part in parts.parts:
            self._counter.note(part.note.rows, part.note.raw_size, reused=True)
            if not stream.is_complete:
                stream.keep()
        if (rows := self._counter.totals.rows_reused) and self._request.order_by:
            log.info("resume: %s rows are in the bucket", f"{rows:,}")
            if self._request.verify_prefix is None:
                log.info("consistency: %s", CONSISTENCY)

    def _fill(self, stream: StreamUpload, parts: ObjectParts, part: PackedPart | None) -> None:
        """Send parts until the object has its last one."""
        while part is not None:
            if self._is_empty_result(part) and not self._wants_empty_object():
                if stream.held:
                    stream.start_afresh("the query returns no rows, unlike in the earlier try")
                return
            self._add(stream, parts, part)
            part = None if part.note.is_last else self._next_of(stream)

    def _add(self, stream: StreamUpload, parts: ObjectParts, part: PackedPart) -> None:
        note, packed = part.note, part.packed
        if packed is None:
            length, sent = stream.keep().length, False
        else:
            data = self._rows.packer.end(packed, parts.footers()) if note.is_last else packed.data
            length, sent = len(data), True
            if note.is_last and part.start.number == 1 and not stream.held:
                stream.store(data)
            elif data:  # the rows of an earlier try may have been all there are
                sent = stream.send(data, note=note.encode(), raw_crc64=part.raw_crc64)
        parts.parts.append(PlacedPart(length, part.raw_crc64, note))
        self._counter.note(note.rows, note.raw_size, reused=not sent)

    def _end(self, stream: StreamUpload, parts: ObjectParts) -> None:
        """Complete the object, unless there is to be none."""
        if not (parts.is_complete or stream.is_complete):
            return
        result = stream.finish()
        self._counter.end_object(result)
        one = parts.described(result)
        log.info("exported: %s rows to %s/%s, size and CRC-64 verified", f"{one.rows:,}", result.bucket, one.key)
        last_key = parts.last_key or self._finished.last_key
        self._finished = replace(self._finished, objects=(*self._finished.objects, one), last_key=last_key)
        # Before the next object begins: its first checkpoint carries this list.
        self._uploads.note_finished(self._finished)
        crash_point("after_export_object")

    def _is_empty_result(self, part: PackedPart) -> bool:
        return part.note.rows == 0 and part.start == Position()

    def _wants_empty_object(self) -> bool:
        if self._request.if_empty == "fail":
            raise SourceError("the query returned no rows, and if_empty is 'fail'")
        if self._request.if_empty == "skip":
            log.info("the query returned no rows: no object is written, because if_empty is 'skip'")
        return self._request.if_empty == "write"

    # --- reading

    def _start_reading(self, parts: ObjectParts, stream: StreamUpload | None = None) -> None:
        keyed = bool(self._request.order_by)
        after = (parts.last_key or self._finished.last_key) if keyed else None
        header, held = self._rows.header, stream.held if stream else {}
        stretch = Stretch(header, keyed, parts.position(len(header)), after)
        pack = packing(self._rows.packer, parts.index, held)
        self._pipeline = Pipeline(self._rows.source, self._request.cuts, stretch, pack)

    def _first_part_of_next(self) -> PackedPart | None:
        """Return the first part of the next object, ``None`` if there are no more rows."""
        if not self._finished.objects:
            return None  # an empty result
        if self._pipeline is None:  # an earlier try sent all parts of the object before
            self._start_reading(ObjectParts(len(self._finished.objects)))
        return self._next(self._uploads.tick)

    def _next_of(self, stream: StreamUpload) -> PackedPart | None:
        try:
            return self._next(stream.tick)
        except SourceError:  # nothing is urgent, so that the retry finds all parts that there are
            stream.drain()
            raise

    def _next(self, tick: Callable[[], None]) -> PackedPart | None:
        return self._pipeline.next(tick) if self._pipeline is not None else None
