"""What each try of a task sent, as the server saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_oss_resume.devserver import RequestRecord


@dataclass(frozen=True, slots=True)
class TrySent:
    """The parts that arrived during one try.

    :param parts: part numbers that the server accepted, in the order of its replies.
    :param bytes: bytes of request bodies, also of parts that were cut off.
    """

    parts: tuple[int, ...]
    bytes: int


def split_tries(records: Sequence[RequestRecord]) -> tuple[TrySent, TrySent]:
    """Split the requests of a killed upload at the first ListParts, which the second try sends.

    Not at the moment of the kill: what lay in the sockets then still arrives, and still counts for the first try.
    """
    asked = [record.seq for record in records if record.operation == "ListParts"]
    return split_at(records, min(asked, default=len(records) + 1))


def split_at(records: Sequence[RequestRecord], border: int) -> tuple[TrySent, TrySent]:
    """Return what was sent before the request with a number, and from it on."""
    sent = [record for record in records if record.operation == "UploadPart"]
    return (
        _sent([record for record in sent if record.seq < border]),
        _sent([record for record in sent if record.seq >= border]),
    )


def _sent(records: Sequence[RequestRecord]) -> TrySent:
    accepted = (record.part_number for record in records if record.status == 200)
    return TrySent(
        parts=tuple(number for number in accepted if number is not None),
        bytes=sum(record.body_bytes for record in records),
    )
