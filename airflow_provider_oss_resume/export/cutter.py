"""Where a stream of rows is cut into parts and objects; pure."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.export.rows.row_source import Key, Write
from airflow_provider_oss_resume.oss.limits import MAX_PART_NUMBER, MIB, MIN_PART_SIZE

FIRST_PART_SIZE = 8 * MIB
LARGEST_PART_SIZE = 320 * MIB
PARTS_OF_ONE_SIZE = 1000
# Above every size: each row is compared with a number, never with None.
_NO_LIMIT = 1 << 62


def part_size(number: int, first: int = FIRST_PART_SIZE) -> int:
    """Return the bytes of a part before compression.

    The total is unknown, so the size doubles every 1,000 parts up to 320 MiB: 10,000 parts hold 1.7 TiB,
    and the parts of a small result stay small.
    """
    doubled: int = first << min((number - 1) // PARTS_OF_ONE_SIZE, 20)
    return min(doubled, max(first, LARGEST_PART_SIZE))


@dataclass(frozen=True, slots=True)
class Limits:
    """Limit the sizes of parts and objects.

    :param first_part_size: bytes of the first part before compression; see :func:`part_size`.
    :param split_size: bytes of an object before compression, at most; ``None`` makes one object.
    :param split_rows: rows of an object, at most.
    :param row_group: a part ends after a multiple of this many rows, however large it becomes, unless the object ends
        or the row after it has an equal key.
    """

    first_part_size: int = FIRST_PART_SIZE
    split_size: int | None = None
    split_rows: int | None = None
    row_group: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """Hold the position in the objects at which a part starts.

    :param object_index: of the object, from 0.
    :param number: of the part in its object, from 1.
    :param size: bytes of the object's parts before it.
    :param rows: rows of the object's parts before it.
    """

    object_index: int = 0
    number: int = 1
    size: int = 0
    rows: int = 0

    def after(self, size: int, rows: int) -> Position:
        """Return where the next part of the object starts, after a part of these bytes and rows."""
        return Position(self.object_index, self.number + 1, self.size + size, self.rows + rows)


@dataclass(frozen=True, slots=True)
class RawPart:
    """Hold the rows of one part, encoded and not compressed.

    :param start: where the part belongs.
    :param header_size: bytes before the first row.
    :param last_key: of the last row, where rows have a key.
    :param is_last: the object ends with this part.
    """

    start: Position
    data: bytes | bytearray | memoryview
    rows: int
    header_size: int = 0
    last_key: Key | None = None
    is_last: bool = False


@dataclass(slots=True)
class _OpenPart:
    """Collect the rows of the part that is not cut yet.

    :param size_limit: bytes of the part, at most, unless one row is larger.
    :param row_limit: rows of the part, at most.
    """

    start: Position
    data: bytearray
    size_limit: int
    row_limit: int
    rows: int = 0
    last_row: bytes = b""

    def add(self, row: bytes) -> None:
        self.data += row
        self.rows += 1
        self.last_row = row

    def end(self) -> Position:
        return self.start.after(len(self.data), self.rows)


class Cutter:
    """Collect encoded rows and emit parts, cut between two rows.

    Rows with equal keys stay in one part: a retry asks for what comes after a key, and rows beyond a cut
    between equal keys would be lost (5,183 rows of 3 million in a measurement).

    :param header: first bytes of each object.
    :param key_of: reads the key of a row; ``None`` where rows have none.
    :param emit: takes each part, in order.
    :param start: where the first row belongs.
    :ivar write: takes one row.
    """

    def __init__(
        self,
        limits: Limits,
        header: bytes,
        key_of: Callable[[bytes], Key] | None,
        emit: Callable[[RawPart], None],
        start: Position = Position(),
    ) -> None:
        self._limits = limits
        self._header = header
        self._key_of = key_of
        self._emit = emit
        self._rows_before = 0
        self._part = self._open(start)
        self._taking = self._take()
        next(self._taking)
        self.write: Write = self._taking.send

    def _open(self, start: Position) -> _OpenPart:
        if start.number > MAX_PART_NUMBER:
            raise SourceError(f"the result does not fit into {MAX_PART_NUMBER:,} parts: set split_size")
        limits = self._limits
        left = _NO_LIMIT if limits.split_size is None else limits.split_size - start.size
        size = part_size(start.number, limits.first_part_size) if limits.row_group is None else _NO_LIMIT
        return _OpenPart(
            start,
            bytearray(self._header if start.number == 1 else b""),
            size_limit=min(size, left),
            row_limit=min(limits.row_group or _NO_LIMIT, self._rows_left(start)),
        )

    def _rows_left(self, start: Position) -> int:
        """Return how many rows the object has room for after a position."""
        return _NO_LIMIT if self._limits.split_rows is None else self._limits.split_rows - start.rows

    def _take(self) -> Generator[None, bytes, None]:
        """Take one row a step.

        A generator keeps its variables from row to row. A method looks each of them up again, which took 1.6 times as
        long.
        """
        row = yield
        while True:
            part = self._part
            data, rows, last_row = part.data, part.rows, part.last_row
            size_limit, row_limit = part.size_limit, part.row_limit
            try:
                while not rows or (len(data) + len(row) <= size_limit and rows < row_limit):
                    data += row
                    rows += 1
                    last_row = row
                    row = yield
            finally:  # the last row may have come
                part.rows, part.last_row = rows, last_row
            if self._has_room_for_a_group(row):
                part.row_limit = min(part.row_limit + (self._limits.row_group or 0), self._rows_left(part.start))
            elif self._may_cut_before(row):
                self._cut(full=self._is_object_full(row))
            else:
                part.add(row)
                row = yield

    def _has_room_for_a_group(self, row: bytes) -> bool:
        """Return whether another row group follows in the part: it is not full, and one like those before it fits."""
        part, limits = self._part, self._limits
        if limits.row_group is None or part.rows % limits.row_group or self._is_object_full(row):
            return False
        size, groups = len(part.data), part.rows // limits.row_group
        most = part_size(part.start.number, limits.first_part_size)
        return size < MIN_PART_SIZE or size + size // groups <= most

    def _may_cut_before(self, row: bytes) -> bool:
        if len(self._part.data) < MIN_PART_SIZE and not self._is_object_full(row):
            return False  # a small part is refused unless the object ends with it
        return self._key_of is None or self._key_of(self._part.last_row) != self._key_of(row)

    def _is_object_full(self, row: bytes) -> bool:
        end, limits = self._part.end(), self._limits
        too_large = limits.split_size is not None and end.size + len(row) > limits.split_size
        return too_large or (limits.split_rows is not None and end.rows >= limits.split_rows)

    def _cut(self, *, full: bool) -> None:
        """Emit the part before a row that is known, so whether the object ends with the part is known too."""
        part = self._part
        self._emit(self._closed(is_last=full))
        self._rows_before += part.rows
        self._part = self._open(Position(part.start.object_index + 1) if full else part.end())

    def _closed(self, *, is_last: bool) -> RawPart:
        part = self._part
        key = self._key_of(part.last_row) if self._key_of is not None and part.rows else None
        header_size = len(self._header) if part.start.number == 1 else 0
        return RawPart(part.start, part.data, part.rows, header_size, key, is_last)

    def stop(self) -> int:
        """Take no more rows, and return how many were written."""
        self._taking.close()
        return self._rows_before + self._part.rows

    def finish(self) -> None:
        """Take no more rows, and emit what is left.

        The last part is empty if the rows of an earlier try were all there is.
        """
        self.stop()
        start = self._part.start
        if self._part.rows or start.number > 1 or start.object_index == 0:  # else the object before ended with them
            self._emit(self._closed(is_last=True))
