"""Where Airflow's metrics go: a statsd that keeps the counters and gauges of this package."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter

# The format of influxdb, because plain statsd drops the tags.
_LINE = re.compile(r"airflow\.oss_resume\.(?P<name>\w+),(?P<tags>[^:]+):(?P<value>\d+)\|(?P<kind>[cg])")
_TAGGED = re.compile(r"dag_id=(?P<dag>[^,]+),task_id=(?P<task>[^,]+)")


class StatsdServer:
    """A UDP socket on loopback, read by a thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._counts: dict[tuple[str, str], Counter[str]] = {}
        self._gauges: dict[tuple[str, str], dict[str, list[int]]] = {}
        self._thread = threading.Thread(target=self._listen, name="statsd", daemon=True)
        self._thread.start()

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment of an Airflow that sends its metrics here."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }

    def counts(self, dag_id: str, task_id: str) -> Counter[str]:
        """Return what the tries of a task counted so far, all together."""
        return self._counts.get((dag_id, task_id), Counter())

    def gauges(self, dag_id: str, task_id: str) -> dict[str, list[int]]:
        """Return all values that each gauge had, in order."""
        return self._gauges.get((dag_id, task_id), {})

    def close(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while datagram := self._socket.recv(65536):
            for line in datagram.decode(errors="replace").splitlines():
                found = _LINE.fullmatch(line)
                tags = _TAGGED.fullmatch(found["tags"]) if found else None
                if found and tags:
                    self._keep((tags["dag"], tags["task"]), found["name"], found["kind"], int(found["value"]))

    def _keep(self, task: tuple[str, str], name: str, kind: str, value: int) -> None:
        if kind == "c":
            self._counts.setdefault(task, Counter())[name] += value
        else:
            self._gauges.setdefault(task, {}).setdefault(name, []).append(value)
