"""Child processes, each in its own process group and with a log file, that are stopped together.

Each group is written to a file when it starts. A later run after a crash, or `make demo-stop`, reads that file and
stops the groups. The file also holds the start time of each leader: a group is signalled only if it matches, so a
recycled process id is never signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil


class ServiceDiedError(RuntimeError):
    """A service ended by itself; the message holds the end of its log."""


class Services:
    """The child processes of one folder.

    :param folder: where logs and the list of process groups are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._groups = folder / "process-groups"
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._log_starts: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> int:
        """Start a child that writes to its own log file, and return its process id."""
        with self.log(name).open("ab") as log:
            self._log_starts[name] = log.tell()
            child = subprocess.Popen(
                argv,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[name] = child
        with self._groups.open("a") as groups:
            groups.write(f"{child.pid} {_start_time(child.pid)}\n")
        return child.pid

    def log(self, name: str) -> Path:
        """Return the log file of a service."""
        return self._folder / f"{name}.log"

    def output(self, name: str) -> str:
        """Return what a service has printed since its latest start."""
        return self.log(name).read_bytes()[self._log_starts[name] :].decode(errors="replace")

    def check(self) -> None:
        """Raise ServiceDiedError if one of the children is gone."""
        for name in self.ended():
            tail = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-20:])
            code = self._children[name].returncode
            raise ServiceDiedError(f"{name} ended with code {code}; the end of {self.log(name)}:\n{tail}")

    def ended(self) -> list[str]:
        """Return the names of the services that ended by themselves."""
        return [name for name, child in self._children.items() if child.poll() is not None]

    def __contains__(self, name: str) -> bool:
        return name in self._children

    def pid(self, name: str) -> int:
        """Return the process id of a service."""
        return self._children[name].pid

    def take(self, name: str) -> subprocess.Popen[bytes]:
        """Hand a service over to the caller, who ends it and waits for its end; `check` no longer expects it."""
        return self._children.pop(name)

    def kill(self, name: str) -> None:
        """End a service by SIGKILL with all that descend from it, also those in process groups of their own."""
        child = self.take(name)
        family = [psutil.Process(child.pid)]
        for member in family:  # grows
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()  # a suspended process starts no further one
                family += member.children()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        child.wait()
        psutil.wait_procs(family[1:])

    def stop_one(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one service by a signal to its process group, and wait for its end."""
        child = self.take(name)
        _signal_all([child.pid], number)
        child.wait()

    def stop(self, patience: float = 5.0) -> None:
        """Stop every group in the folder's file: by SIGTERM, then by SIGKILL."""
        groups = self._known_groups()
        _signal_all(groups, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self._any_alive(groups) and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal_all(groups, signal.SIGKILL)
        for child in self._children.values():
            child.wait()
        self._children.clear()
        self._groups.unlink(missing_ok=True)

    def _known_groups(self) -> list[int]:
        if not self._groups.exists():
            return []
        written = [line.split() for line in self._groups.read_text().splitlines()]
        return [int(pid) for pid, started in written if _start_time(int(pid)) == int(started)]

    def _any_alive(self, groups: Sequence[int]) -> bool:
        for child in self._children.values():
            child.poll()  # an unreaped child would count as alive
        return any(_group_exists(group) for group in groups)


def _start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when there is no such process.

    Not its command line or environment: Airflow writes its process title over both.
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return 0
    return int(after_name.split()[19])


def _signal_all(groups: Sequence[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
