"""The plan of many files: large files by ranges of parts, all others in bundles.

The list of the files of the bundles is an object in the bucket, because a million names do not fit into an XCom. The
plan holds the range of each bundle in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_oss_resume.exceptions import PlanError
from airflow_provider_oss_resume.shards.plan import Plan, PlanOrigin
from airflow_provider_oss_resume.shards.sealed import seal, unseal


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files that one shard sends.

    :param offset: of their lines in the list.
    :param length: bytes of their lines.
    :param size: bytes of the files.
    """

    offset: int
    length: int
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class FileList:
    """The object with the names of the files of all bundles: JSON Lines.

    :param etag: of the object; empty if there is no bundle.
    """

    key: str
    etag: str = ""
    bundles: tuple[Bundle, ...] = ()


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A file whose parts several shards send."""

    location: str
    key: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class ShardOfBatch:
    """What one shard does: a bundle, or one shard of a large file.

    :param number: of the bundle or of the large file, from 0.
    :param shard: of the large file; -1 for a bundle.
    """

    number: int
    shard: int = -1

    @property
    def is_bundle(self) -> bool:
        """Return whether the shard is a bundle."""
        return self.shard < 0


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What all shards have to know.

    :param running: shards that run at the same time, which share the bandwidth limit.
    """

    origin: PlanOrigin
    bucket: str
    prefix: str
    file_list: FileList
    large: tuple[LargeFile, ...] = ()
    running: int = 0

    @property
    def plan_id(self) -> str:
        """Return what differs for each plan."""
        return self.origin.plan_id

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Return the files that are sent whole, in bundles."""
        return self.file_list.bundles

    @property
    def shards(self) -> tuple[ShardOfBatch, ...]:
        """Return all shards: those of large files first, because they take longest to repair."""
        return tuple(self._shards())

    def _shards(self) -> Iterator[ShardOfBatch]:
        for number, file in enumerate(self.large):
            yield from (ShardOfBatch(number, shard) for shard in range(file.plan.count))
        yield from (ShardOfBatch(number) for number in range(len(self.bundles)))

    def shard(self, index: int) -> ShardOfBatch:
        """Return one shard.

        :raises PlanError: the plan has no such shard.
        """
        shards = self.shards
        if not 0 <= index < len(shards):
            raise PlanError(f"shard {index!r} is not in the plan, which has {len(shards)} shards: clear the plan task")
        return shards[index]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom."""
        # Through lists: JSON has no tuples, and the hash is over what arrives.
        content = asdict(self)
        files = {**content["file_list"], "bundles": list(content["file_list"]["bundles"])}
        return seal({**content, "file_list": files, "large": list(content["large"])})

    @classmethod
    def from_dict(cls, values: object) -> BatchPlan:
        """Return the plan of plain values.

        :raises PlanError: the values are not a plan that this version of the package made.
        """
        content = unseal(values)
        files = content["file_list"]
        return cls(
            **{
                **content,
                "origin": PlanOrigin(**content["origin"]),
                "file_list": FileList(**{**files, "bundles": tuple(Bundle(**one) for one in files["bundles"])}),
                "large": tuple(LargeFile(**{**one, "plan": Plan.of(one["plan"])}) for one in content["large"]),
            }
        )
