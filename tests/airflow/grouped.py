"""A run of dags/cluster_cases.py on the cluster: where its shards run, and what was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from airflow_provider_oss_resume.devserver import DevServer
from demo.cluster import AirflowCluster
from demo.stack import MappedTask
from tests.airflow import bucket
from tests.airflow.scheduled import PATIENCE, CommandLine, Scheduled

SHARDS = 4
CONCURRENCY = 2
SEND = "upload.send"


class GroupRun(Scheduled):
    """One run of the group, from a file to an object."""

    def __init__(
        self,
        cluster: AirflowCluster,
        airflow: CommandLine,
        oss: DevServer,
        source: bucket.SourceFile,
        dag_id: str = "grouped_upload",
        part_size: int = bucket.PART_SIZE,
    ) -> None:
        super().__init__(cluster, airflow, dag_id, "upload.complete")
        self.cluster = cluster
        self.oss = oss
        self.source = source
        self.part_size = part_size

    @property
    def size(self) -> int:
        return self.source.path.stat().st_size

    @property
    def parts(self) -> int:
        return -(-self.size // self.part_size)

    def begin(self, slow: Iterable[int | None] = (None,)) -> GroupRun:
        """Trigger the run; all parts, or those with some numbers, are so slow that no shard ends before all began."""
        bucket.slow_parts(self.oss, self.source.key, slow, 5 * bucket.SECONDS_A_PART)
        self.trigger(self.source)
        return self

    def shards(self) -> list[MappedTask]:
        """Return the mapped tasks in their order."""
        return self.cluster.mapped(self.run_id, SEND)

    def until_all_run(self) -> None:
        """Wait until every shard runs."""
        running = ["running"] * SHARDS
        self.cluster.wait(lambda: [one.state for one in self.shards()] == running, "four shards at work", PATIENCE)

    def until_all_send(self, parts: int) -> list[int]:
        """Wait until every shard runs and so many parts are held; return the numbers of these."""
        self.until_all_run()
        self.oss.clear_faults()
        bucket.slow_parts(self.oss, self.source.key)
        return self.until_held(self.oss, self.source, parts)

    def shards_of(self, worker: str) -> list[int]:
        """Return the indexes of the shards that run on a worker."""
        return [one.index for one in self.shards() if one.host == worker and one.state == "running"]

    def wait_for_end(self) -> None:
        """Let the parts be fast again, and wait for success of all tasks."""
        self.oss.clear_faults()
        ended = "select 1 from dag_run where run_id = ? and state in ('success', 'failed')"
        self.cluster.wait(lambda: self.cluster.query(ended, self.run_id), "end of the run", PATIENCE)
        task = self.cluster.task(self.run_id, self.task_id)
        assert task.state == "success", self.logs()[-6000:]

    def check(self, held: Collection[int], in_flight: int) -> None:
        """Assert the object's bytes, and that at most the parts in flight were sent twice.

        :param held: numbers of the parts that the bucket held when something happened.
        :param in_flight: number of parts that were being sent then, at most.
        """
        assert self.has_bytes_of_source()
        assert bucket.unfinished_uploads(self.oss, self.source.key) == []
        times_sent = Counter(bucket.parts_held(self.oss, self.source.key))
        assert sorted(times_sent) == list(range(1, self.parts + 1))
        assert [number for number in held if times_sent[number] > 1] == []
        assert self.bytes_sent() <= self.size + in_flight * self.part_size

    def has_bytes_of_source(self) -> bool:
        """Compare the object with the file, block by block."""
        with (
            self.source.path.open("rb") as file,
            bucket.client(self.oss) as client,
            client.get_object(bucket.NAME, self.source.key) as (_, blocks),
        ):
            return all(block == file.read(len(block)) for block in blocks) and not file.read(1)

    def bytes_sent(self) -> int:
        """Return the bytes of all parts that arrived, also of those that were cut off."""
        sent = self.oss.requests("UploadPart")
        return sum(one.body_bytes for one in sent if one.key == self.source.key)

    def logs(self, task_id: str = "") -> str:
        """Return the logs of one or all tasks, of all tries."""
        pattern = f"**/run_id={self.run_id}/task_id={task_id or '*'}/**/*.log"
        return "\n".join(
            path.read_text(errors="replace") for path in sorted(Path(self.cluster.home, "logs").glob(pattern))
        )
