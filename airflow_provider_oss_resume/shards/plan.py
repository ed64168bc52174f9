"""The plan of a sharded upload, and what each shard returns; both cross from one task to another as plain values.

The plan contains no secret: a data key is in it as the object has it, wrapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_oss_resume.exceptions import PlanError
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.shards.sealed import seal, shown, unseal
from airflow_provider_oss_resume.shards.sharding import PartSpan, split_parts
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint


@dataclass(frozen=True, slots=True)
class PlannedUpload:
    """The multipart upload that all shards share.

    :param is_adopted: another client may have started it.
    :param object_before: ETag of the object at the key when the plan was made; empty if there was none.
    :param wrapped_key: data key of client-side encryption, and :attr:`wrapped_start` the start of its counter, both
        wrapped by the master key, as the object's headers have them; empty without encryption.
    """

    bucket: str
    key: str
    upload_id: str
    part_size: int
    is_adopted: bool = False
    object_before: str = ""
    wrapped_key: str = ""
    wrapped_start: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all shards have to know.

    :param plan_id: differs for each plan.
    :param options_digest: of the headers fixed at Initiate.
    :param count: number of shards; 0 where nothing has to be sent.
    :param running: shards that run at the same time, which share the bandwidth limit.
    :param host: where the plan was made.
    :param result: of the upload, where nothing had to be sent.
    """

    plan_id: str
    upload: PlannedUpload | None
    fingerprint: Fingerprint
    options_digest: str
    count: int
    running: int
    host: str
    result: Mapping[str, Any] = field(default_factory=dict)

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
        upload = content["upload"] and PlannedUpload(**content["upload"])
        return cls(**{**content, "upload": upload, "fingerprint": Fingerprint(**content["fingerprint"])})


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of one shard.

    :param crc64: of the shard's bytes at the source.
    :param parts: each part, where the bucket lists no CRC-64 or may not be listed; otherwise empty.
    """

    plan_id: str
    shard: int
    span: PartSpan
    size: int
    crc64: int
    bytes_sent: int = 0
    bytes_reused: int = 0
    parts_reused: int = 0
    duration_s: float = 0.0
    parts: tuple[Part, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom; a CRC-64 as text, because JSON readers lose digits of such numbers."""
        parts = [[part.number, part.size, part.etag, str(part.crc64)] for part in self.parts]
        return {**asdict(self), "crc64": str(self.crc64), "parts": parts}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ShardResult:
        """Return the result of plain values.

        :raises PlanError: the values are not the result of a shard.
        """
        try:
            parts = tuple(Part(number, size, etag, int(crc)) for number, size, etag, crc in values["parts"])
            span = PartSpan(**values["span"])
            return cls(**{**values, "span": span, "crc64": int(values["crc64"]), "parts": parts})
        except (TypeError, ValueError, KeyError) as error:
            raise PlanError(f"the result of a shard cannot be read ({shown(values)}): clear its task") from error
