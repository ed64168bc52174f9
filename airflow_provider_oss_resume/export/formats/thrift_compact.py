"""Read and write Thrift's compact encoding without a schema; pure.

A struct is a dict from field id to :class:`Value`. That is enough to shift the offsets in a Parquet footer and to
leave everything else as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_INTEGERS = (I16, I32, I64)


@dataclass(slots=True)
class Value:
    """Hold a field's type and content.

    :param content: a number, bytes, a :class:`Sequence` or a struct.
    """

    type: int
    content: Any


@dataclass(slots=True)
class Sequence:
    """Hold a list or a set."""

    type: int
    items: list[Any]


Struct = dict[int, Value]


class Reader:
    """Read values one after another.

    :raises ValueError: the bytes hold a map, which no Parquet footer has.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def _byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self) -> Struct:
        """Read one struct."""
        fields: Struct = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 0x0F
            number = number + delta if delta else self._zigzag()
            fields[number] = Value(kind, self._value(kind))
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in _INTEGERS:
            return self._zigzag()
        if kind == STRUCT:
            return self.struct()
        if kind in (LIST, SET):
            return self._sequence()
        return self._raw(kind)

    def _raw(self, kind: int) -> bytes:
        if kind not in (BYTE, DOUBLE, BINARY):
            raise ValueError(f"unexpected thrift type {kind}")
        length = {BYTE: 1, DOUBLE: 8}.get(kind) or 0
        length = self._varint() if kind == BINARY else length
        self.position += length
        return self._data[self.position - length : self.position]

    def _sequence(self) -> Sequence:
        head = self._byte()
        count, kind = head >> 4, head & 0x0F
        count = self._varint() if count == 15 else count
        if kind in (TRUE, FALSE):
            return Sequence(kind, [self._byte() for _ in range(count)])
        return Sequence(kind, [self._value(kind) for _ in range(count)])


def write_struct(fields: Struct) -> bytes:
    """Return the encoding of a struct."""
    out, previous = bytearray(), 0
    for number, value in fields.items():
        delta = number - previous
        kind = (TRUE if value.content else FALSE) if value.type in (TRUE, FALSE) else value.type
        out += bytes([delta << 4 | kind]) if 0 < delta < 16 else bytes([kind]) + _zigzag(number)
        if kind not in (TRUE, FALSE):
            out += _write(value.type, value.content)
        previous = number
    return bytes(out) + b"\0"


def _write(kind: int, content: Any) -> bytes:
    if kind in _INTEGERS:
        return _zigzag(content)
    if kind == STRUCT:
        return write_struct(content)
    if kind in (LIST, SET):
        return _write_sequence(content)
    return (_varint(len(content)) if kind == BINARY else b"") + bytes(content)


def _write_sequence(sequence: Sequence) -> bytes:
    count = len(sequence.items)
    head = bytes([count << 4 | sequence.type]) if count < 15 else bytes([0xF0 | sequence.type]) + _varint(count)
    if sequence.type in (TRUE, FALSE):
        return head + bytes(sequence.items)
    return head + b"".join(_write(sequence.type, item) for item in sequence.items)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
