"""The parts that a transfer sends, and what it needs for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import Layout
from airflow_provider_oss_resume.sources.source import OpenSource
from airflow_provider_oss_resume.transfer.bandwidth import Pacer
from airflow_provider_oss_resume.transfer.destination import Destination
from airflow_provider_oss_resume.transfer.limits import ConnectionLimit
from airflow_provider_oss_resume.transfer.progress.meter import ByteMeter


@dataclass(frozen=True, slots=True)
class PartSet:
    """The parts that one transfer moves.

    :param source: where their bytes come from.
    :param layout: their offsets and lengths.
    :param destination: the upload, and the headers of UploadPart.
    :param to_send: numbers of the parts that the bucket does not hold, in the order of sending.
    :param kept: parts that the bucket holds, by number, to be verified.
    :param acknowledged: parts, by number, that may only be sent with the bytes that OSS acknowledged before, because
        one data key must not encrypt two contents. Each is compared as a whole before its first byte is sent.
    """

    source: OpenSource
    layout: Layout
    destination: Destination
    to_send: Collection[int]
    kept: Mapping[int, Part] = field(default_factory=dict)
    acknowledged: Mapping[int, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """The means of a transfer.

    :param client: forked for each sender thread.
    :param meter: counts the bytes.
    :param max_concurrency: parts sent at the same time, at most.
    :param connections: shared with other transfers of this process.
    :param pace: called with the size of each block before it is sent; returns when it may be sent. ``None``: no limit.
    :param clock: seconds of a steady clock.
    """

    client: OSSClient
    meter: ByteMeter = field(default_factory=ByteMeter)
    max_concurrency: int = 4
    pace: Pacer | None = None
    clock: Callable[[], float] = time.monotonic
    connections: ConnectionLimit = field(default_factory=ConnectionLimit)
