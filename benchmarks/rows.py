"""The work of each row, and its targets: ratios of this package to others in the same round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import FIXED
from benchmarks.stage import TestFiles, make_certificate, make_files
from benchmarks.work import GIB, KIB, MIB

SDKS = ("oss2_sdk", "oss_v2_sdk")
GO = ("go_v2", "go_v1")
OTHERS = ("ali_oss", "ossutil")


@dataclass(frozen=True, slots=True)
class Target:
    """A target: our ``metric`` is at most ``limit`` times that of another contender."""

    metric: str
    against: str
    limit: float


@dataclass(frozen=True, slots=True)
class Way:
    """Delay and speed of the sink; see :class:`benchmarks.sink.Settings`."""

    delay: float = 0.0
    connection_rate: float = 0.0
    total_rate: float = 0.0
    failing: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one work and its contenders.

    :param contenders: ours first.
    :param tls: the sink speaks TLS.
    :param count: files of ``size`` bytes.
    :param way: delay and speed between client and sink.
    :param rounds: number of rounds, if the work takes too long for the usual number.
    """

    name: str
    size: int
    part_size: int
    contenders: tuple[str, ...]
    targets: tuple[Target, ...]
    threads: int = 4
    tls: bool = False
    count: int = 1
    way: Way = Way()
    rounds: int | None = None

    def make_files(self, folder: Path) -> TestFiles:
        return make_files(folder, self.size, self.part_size, self.count)

    def make_certificate(self, folder: Path) -> str:
        return str(make_certificate(folder)) if self.tls else ""


def _against_sdks(metric: str, limit: float) -> tuple[Target, ...]:
    return tuple(Target(metric, sdk, limit) for sdk in SDKS)


_LARGE = (Target("wall", "bare", 1.3), *_against_sdks("cpu", 1 / 8), *_against_sdks("wall", 1 / 8))
_AGAINST_GO = tuple(Target("wall", sdk, 0.5) for sdk in GO)

_SMALL = Row(
    "1,500 files of 64 KiB, 4 threads, HTTP",
    64 * KIB,
    64 * KIB,
    ("ours_batch", "ours_small", *SDKS, *GO),
    (Target("wall", "go_v2", 2.5), Target("wall", "oss2_sdk", 1 / 6)),
    count=1500,
)

QUICK = (Row("1 GiB, 8 MiB parts, 4 threads, HTTP", GIB, 8 * MIB, ("ours", "bare", *SDKS), _LARGE), _SMALL)

FULL = (
    Row(
        "2 GiB, 8 MiB parts, 4 threads, HTTP",
        2 * GIB,
        8 * MIB,
        ("ours", "bare", *SDKS, *GO, *OTHERS),
        (*_LARGE, *_AGAINST_GO),
    ),
    Row(
        "2 GiB, 8 MiB parts, 4 threads, TLS",
        2 * GIB,
        8 * MIB,
        ("ours", "bare", *GO),
        (Target("cpu", "bare", 1.1),),
        tls=True,
    ),
    Row(
        "10,000 parts of 100 KiB, 4 threads, HTTP",
        10_000 * 100 * KIB,
        100 * KIB,
        ("ours", "bare", *SDKS, *OTHERS),
        (*_against_sdks("wall", 1 / 4), Target("wall", "ali_oss", 1.0)),
    ),
    Row(  # the Go SDKs double the part size of 10,000 parts, or refuse them
        "9,000 parts of 100 KiB, 4 threads, HTTP",
        9_000 * 100 * KIB,
        100 * KIB,
        ("ours", "bare", *GO),
        (Target("wall", "go_v2", 0.9),),
    ),
    _SMALL,
    Row(
        "3 GiB over 100 ms, 4 MiB/s a connection, 100 MiB/s in all, 1 % of requests fail",
        3 * GIB,
        8 * MIB,
        ("ours", *(f"ours_fixed@{number}" for number in FIXED)),
        tuple(Target("wall", f"ours_fixed@{number}", 1 / 0.9) for number in FIXED),
        threads=64,
        way=Way(delay=0.1, connection_rate=4 * MIB, total_rate=100 * MIB, failing=100),
        rounds=3,
    ),
)
