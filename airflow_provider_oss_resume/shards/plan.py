"""The plan of a sharded upload, and what each shard returns; both cross from one task to another as plain values.

The plan contains no secret: a data key is in it as the object has it, wrapped.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from airflow_provider_oss_resume.checkpoint.record import ADOPTED
from airflow_provider_oss_resume.exceptions import PlanError
from airflow_provider_oss_resume.oss.client_encryption.encryption import WrappedKey
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.shards.sealed import seal, shown, unseal
from airflow_provider_oss_resume.shards.sharding import PartSpan, ShardCounts, split_parts
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.transfer.counts import ReadsTransferCounts, TransferCounts


@dataclass(frozen=True, slots=True)
class PlanOrigin:
    """Which plan it is, and where it was made.

    :param plan_id: differs for each plan.
    :param host: of the process that made it, and that could read the source.
    """

    plan_id: str
    host: str

    @classmethod
    def here(cls) -> PlanOrigin:
        """Return the origin of a new plan of this process."""
        return cls(uuid.uuid4().hex, socket.gethostname())


@dataclass(frozen=True, slots=True)
class PlannedUpload:
    """The multipart upload that all shards share.

    :param options_digest: of the headers fixed at Initiate; after :data:`~.record.ADOPTED` if another client may have
        started it.
    :param wrapped: data key of client-side encryption, wrapped by the master key, as the object's headers have it;
        ``None`` without encryption.
    """

    bucket: str
    key: str
    upload_id: str
    part_size: int
    options_digest: str
    wrapped: WrappedKey | None = None

    @property
    def is_adopted(self) -> bool:
        """Return whether another client may have started it."""
        return self.options_digest.startswith(ADOPTED)

    @classmethod
    def of(cls, content: dict[str, Any]) -> PlannedUpload:
        """Return the upload of its fields as plain values."""
        wrapped = content["wrapped"] and WrappedKey(**content["wrapped"])
        return cls(**{**content, "wrapped": wrapped})


@dataclass(frozen=True, slots=True)
class Plan:
    """What all shards have to know.

    :param upload: the upload of the shards; ``None`` where nothing had to be sent.
    :param fingerprint: of the source.
    :param object_before: ETag of the object at the key when the plan was made; empty if there was none.
    :param result: of the upload, where nothing had to be sent.
    """

    origin: PlanOrigin
    upload: PlannedUpload | None
    fingerprint: Fingerprint
    shards: ShardCounts = ShardCounts()  # noqa: RUF009 - it is frozen
    object_before: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plan_id(self) -> str:
        """Return what differs for each plan."""
        return self.origin.plan_id

    @property
    def count(self) -> int:
        """Return the number of shards; 0 where nothing has to be sent."""
        return self.shards.planned

    @property
    def layout(self) -> PartPlan:
        """Return the parts of the object."""
        return PartPlan(self.fingerprint.size, self.destination.part_size)

    @property
    def destination(self) -> PlannedUpload:
        """Return the upload of the shards."""
        if self.upload is None:
            raise PlanError("this plan has no upload: nothing has to be sent")
        return self.upload

    @property
    def spans(self) -> tuple[PartSpan, ...]:
        """Return the part numbers of each shard."""
        return split_parts(self.layout.count, self.count) if self.count else ()

    def span(self, shard: int) -> PartSpan:
        """Return the part numbers of one shard."""
        if not 0 <= shard < self.count:
            raise PlanError(f"shard {shard!r} is not in the plan, which has {self.count} shards: clear the plan task")
        return self.spans[shard]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom."""
        return seal(asdict(self))

    @classmethod
    def from_dict(cls, values: object) -> Plan:
        """Return the plan of plain values.

        :raises PlanError: the values are not a plan that this version of the package made.
        """
        return cls.of(unseal(values))

    @classmethod
    def of(cls, content: dict[str, Any]) -> Plan:
        """Return the plan of its fields as plain values."""
        return cls(
            **{
                **content,
                "origin": PlanOrigin(**content["origin"]),
                "upload": content["upload"] and PlannedUpload.of(content["upload"]),
                "fingerprint": Fingerprint(**content["fingerprint"]),
                "shards": ShardCounts(**content["shards"]),
            }
        )


@dataclass(frozen=True, slots=True)
class ShardContent:
    """The bytes of one shard, as it read them at the source.

    :param parts: each part, where the bucket lists no CRC-64 or may not be listed; otherwise empty.
    """

    span: PartSpan
    size: int
    crc64: int
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardResult(ReadsTransferCounts):
    """What became of one shard."""

    plan_id: str
    shard: int
    content: ShardContent
    counts: TransferCounts = TransferCounts()  # noqa: RUF009 - it is frozen
    duration_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom; a CRC-64 as text, because JSON readers lose digits of such numbers."""
        content = self.content
        return {
            "plan_id": self.plan_id,
            "shard": self.shard,
            "span": asdict(content.span),
            "size": content.size,
            "crc64": str(content.crc64),
            **asdict(self.counts),
            "duration_s": self.duration_s,
            "parts": [[part.number, part.size, part.etag, str(part.crc64)] for part in content.parts],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ShardResult:
        """Return the result of plain values.

        :raises PlanError: the values are not the result of a shard.
        """
        try:
            parts = tuple(Part(number, size, etag, int(crc)) for number, size, etag, crc in values["parts"])
            content = ShardContent(PartSpan(**values["span"]), values["size"], int(values["crc64"]), parts)
            counts = TransferCounts(**{one.name: values[one.name] for one in fields(TransferCounts)})
            return cls(values["plan_id"], values["shard"], content, counts, values["duration_s"])
        except (TypeError, ValueError, KeyError) as error:
            raise PlanError(f"the result of a shard cannot be read ({shown(values)}): clear its task") from error
