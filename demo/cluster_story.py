"""The steps of the cluster's demo: one of two workers dies, and the other one sends only what is missing."""

from __future__ import annotations

import os
from pathlib import Path

from demo.cluster import WORKERS, AirflowCluster
from demo.stack import REPOSITORY, AirflowStack, MappedTask
from demo.story import MIB, PARTS, RUN_ID, SIZE, Demo, DemoFailedError, mib, row
from demo.tries import TrySent, split_at
from demo.versions import AIRFLOW_VERSION

SHARDS = 4


class ClusterDemo(Demo):
    """One run of the demo on a cluster, from an empty folder to the comparison of the object with the file."""

    target = "demo-cluster"
    services = "Redis, PostgreSQL, two Celery workers, scheduler, DAG processor and API server"
    dag_id = "by_four_workers"
    task_id = "upload.complete"
    seconds_a_part = 1.0  # four shards of two parts at once send about 60 MiB/s

    def play(self) -> None:
        """Run all steps.

        :raises DemoFailedError: the result is not the expected one.
        """
        self.screen.title(
            f"{SIZE // MIB} MiB to a local OSS by two Celery workers, one of them killed · Airflow {AIRFLOW_VERSION}"
        )
        self._write_source()
        self._start_oss()
        self._start_airflow()
        self._trigger()
        self._watch_shards()
        last = self._kill_worker()
        self._watch_other_worker()
        self._report_split(*split_at(self._oss.requests(), last + 1))

    def _new_airflow(self, home: Path) -> AirflowStack:
        noticed = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "8"}
        self._cluster = AirflowCluster(home, REPOSITORY / "demo" / "dags", self._settings() | noticed, ui=True)
        return self._cluster

    def _write_source(self) -> None:
        self._source.parent.mkdir(parents=True)
        with self._source.open("wb") as file:
            for _ in range(SIZE // MIB):
                file.write(os.urandom(MIB))
        self.screen.event("file", f"{SIZE // MIB} MiB in {self._source.name}")

    def _watch_shards(self) -> None:
        self._airflow.wait(lambda: [one.state for one in self._shards()] == ["running"] * SHARDS, "four shards at work")
        for worker in WORKERS:
            self.screen.event(worker, f"sends {_listed(self._shards_of(worker))}")
        self._airflow.wait(lambda: self._watch("shards") >= PARTS // 2, "first half of the parts")

    def _kill_worker(self) -> int:
        """Return the number of the last request that was answered before."""
        self._lost = self._shards_of(WORKERS[0])
        requests = self._oss.requests()
        self._cluster.services.kill(WORKERS[0])
        last = max(request.seq for request in requests)
        self.screen.event("bucket", f"holds {len(split_at(requests, last + 1)[0].parts)} of {PARTS} parts")
        self.screen.event("SIGKILL", f"{WORKERS[0]} is dead, with the tasks of {_listed(self._lost)}", "red")
        return last

    def _watch_other_worker(self) -> None:
        self._airflow.wait(lambda: self._watch("shards") and self._run_again() == self._lost, "retry", 120)
        self.screen.event(WORKERS[1], f"sends what is missing of {_listed(self._lost)}")
        self._airflow.wait(lambda: self._watch("shards") and self._upload_ended(), "end of the upload", 120)
        state = self._airflow.task(RUN_ID, self.task_id).state
        if state != "success":
            raise DemoFailedError(f"{self.task_id} ended as {state}; logs in {self._airflow.home}/logs")
        if self._run_again() != self._lost:
            raise DemoFailedError(f"other shards than {self._lost} ran again: {self._shards()}")
        result = self._airflow.xcom(RUN_ID, self.task_id)
        self.screen.event("success", f"the CRC-64 of the object equals that of the file: {result['crc64']}", "green")

    def _shards(self) -> list[MappedTask]:
        return self._airflow.mapped(RUN_ID, "upload.send")

    def _run_again(self) -> list[int]:
        return [one.index for one in self._shards() if one.try_number > 1]

    def _shards_of(self, worker: str) -> list[int]:
        return [one.index for one in self._shards() if one.host == worker]

    def _report_split(self, before: TrySent, after: TrySent) -> None:
        saved = len(before.parts) * SIZE // PARTS
        self.screen.table(
            [
                ["", "parts", "sent", ""],
                ["by two workers", *row(before), f"then {WORKERS[0]} was killed"],
                ["after that", *row(after), "success"],
                ["sent twice", "", mib(before.bytes + after.bytes - SIZE), f"in flight when {WORKERS[0]} died"],
                ["saved by resuming", str(len(before.parts)), mib(saved), f"{100 * saved // SIZE} %"],
            ]
        )
        self._compare(before, after)


def _listed(shards: list[int]) -> str:
    return f"shard{'s' if len(shards) > 1 else ''} {' and '.join(map(str, shards))}"
