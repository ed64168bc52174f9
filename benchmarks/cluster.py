"""One upload by several Celery workers: ``make bench-cluster``, or ``python -m benchmarks.cluster``.

Measures what the group costs over the operator, and how much faster four limited shards are than one. Airflow, its
database and its broker, the workers and the bucket share this machine's processors.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer, RequestRecord
from demo.cluster import AirflowCluster
from demo.stack import REPOSITORY

MIB = 1024 * 1024
ROUNDS = 3
OVERHEAD_SIZE = 1024 * MIB
SPEED_SIZE = 4096 * MIB
MOST_OVERHEAD = 5.0
LEAST_SPEEDUP = 3.6
ENDED = (
    "select extract(epoch from end_date - start_date) from dag_run where run_id = ? and state in ('success', 'failed')"
)


class Bench:
    """A cluster with a bucket, and the runs on it."""

    def __init__(self, folder: Path, oss: DevServer) -> None:
        self._oss = oss
        self._source = folder / "source.bin"
        extra = {
            "access_key_id": oss.access_key_id,
            "access_key_secret": oss.access_key_secret,
            "region": oss.region,
            "endpoint": oss.url,
        }
        connection = json.dumps({"conn_type": "oss_resume", "extra": {"auth_type": "AK", **extra}})
        environment = {"AIRFLOW_CONN_OSS_DEFAULT": connection}
        self.cluster = AirflowCluster(folder / "airflow", REPOSITORY / "demo" / "dags", environment)

    def seconds(self, dag_id: str, size: int, number: int = 0) -> float:
        """Upload a sparse file of a size, and return the seconds from the start of the DAG run to its end."""
        with self._source.open("wb") as file:
            file.truncate(size)
        self._oss.clear_requests()
        run_id = f"{dag_id}_{number}"
        conf = json.dumps({"path": str(self._source)})
        self.cluster.run(f"dags trigger {dag_id} --run-id {run_id} --conf '{conf}'")
        [(seconds,)] = self.cluster.wait(lambda: self.cluster.query(ENDED, run_id), f"end of {run_id}", 600, 0.2)
        [(state,)] = self.cluster.query("select state from dag_run where run_id = ?", run_id)
        if state != "success":
            raise RuntimeError(f"{run_id} ended as {state}; logs in {self.cluster.home}")
        return float(seconds)

    def seconds_of_parts(self) -> float:
        """Return the seconds from the first part's reply to the last one's."""
        times = [record.time for record in self._parts()]
        return max(times) - min(times)

    def _parts(self) -> list[RequestRecord]:
        return [record for record in self._oss.requests("UploadPart") if record.status == 200]


def measure_overhead(bench: Bench) -> float:
    """Return the seconds that a group of one shard takes longer than the operator, the median of some rounds."""
    differences = []
    for number in range(ROUNDS):
        alone = bench.seconds("by_operator", OVERHEAD_SIZE, number)
        grouped = bench.seconds("by_one_worker", OVERHEAD_SIZE, number)
        print(f"  round {number + 1}: operator {alone:5.1f} s   group of 1 shard {grouped:5.1f} s", flush=True)
        differences.append(grouped - alone)
    return statistics.median(differences)


def measure_speedup(bench: Bench) -> float:
    """Return how many times faster four shards are than one, each at 32 MiB/s."""
    seconds = {}
    for shards in (1, 4):
        bench.seconds(f"limited_{shards}", SPEED_SIZE)
        seconds[shards] = bench.seconds_of_parts()
        rate = SPEED_SIZE / MIB / seconds[shards]
        print(
            f"  {shards} at 32 MiB/s: {seconds[shards]:6.1f} s from first to last part, {rate:5.1f} MiB/s", flush=True
        )
    return seconds[1] / seconds[4]


def main() -> int:
    """Measure, print, and return 1 if a target was missed."""
    with (
        tempfile.TemporaryDirectory(prefix="oss-resume-bench-") as name,
        DevServer(root=Path(name, "oss"), buckets=("examplebucket",)) as oss,
    ):
        bench = Bench(Path(name), oss)
        try:
            bench.cluster.prepare("dags reserialize")
            bench.cluster.start()
            bench.seconds("by_operator", MIB, ROUNDS)  # until everything runs
            overhead = measure_overhead(bench)
            speedup = measure_speedup(bench)
        finally:
            bench.cluster.stop()
    print(f"overhead of the group, 1 shard, {OVERHEAD_SIZE // MIB} MiB: {overhead:.1f} s (at most {MOST_OVERHEAD})")
    print(f"4 shards against 1, {SPEED_SIZE // MIB} MiB: {speedup:.2f} x (at least {LEAST_SPEEDUP})")
    return int(overhead > MOST_OVERHEAD or speedup < LEAST_SPEEDUP)


if __name__ == "__main__":
    sys.exit(main())
