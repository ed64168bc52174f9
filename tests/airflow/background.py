"""Tries in a process tree of their own, so that the test can watch them, stop them and start others beside them.

A run is `dag.test()` in a forked child: the child is the supervisor, the task its child. A test that kills or stops
either of them does to Airflow what a bad night does.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, forked_tries

PATIENCE = 60.0
T = TypeVar("T")
_of_the_parent: list[object] = []


def wait_for(look: Callable[[], T], what: str, patience: float = PATIENCE, pause: float = 0.02) -> T:
    """Look again and again until there is something to see."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, f"no {what} after {patience:.0f} s"
        time.sleep(pause)
    return seen


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie in the kernel's sense."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Child:
    """A function in a forked process, with what it prints in a file."""

    def __init__(self, function: Callable[[], object], output: Path) -> None:
        self._output = output
        warm_up()
        self.pid = os.fork()
        if self.pid == 0:
            _end_with(function, output)
        self._ended = False

    @property
    def output(self) -> str:
        """Return what was printed so far."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def said(self, text: str) -> int:
        """Return how many lines hold a text; Airflow may show one line in two ways."""
        return len({line[line.find(text) :] for line in self.output.splitlines() if text in line})

    def poll(self) -> bool:
        """Return whether the process has ended."""
        if not self._ended:
            self._ended = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
        return self._ended

    def wait(self, patience: float = PATIENCE) -> None:
        """Wait for the end of the process."""
        wait_for(self.poll, f"end of process {self.pid}; it printed\n{self.output[-4000:]}", patience)

    def kill(self) -> None:
        """End the process if it still runs; its task may outlive it."""
        if not self.poll():
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


class Run(Child):
    """A new run of a DAG: all its tries, one after the other.

    :param last_task: what runs no more once this task's first try has ended: for tries that Airflow takes for dead.
    """

    def __init__(
        self, airflow: AirflowStack, dag: Any, conf: dict[str, str], output: Path, last_task: str = ""
    ) -> None:
        self.airflow = airflow
        self.dag = dag
        self._before = airflow.query("select coalesce(max(id), 0) from dag_run")[0][0]
        self._run_id = ""
        super().__init__(lambda: _test(dag, conf, last_task), output)

    def __enter__(self) -> Run:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self._task_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.kill()

    @property
    def run_id(self) -> str:
        """Return the run's id, waiting for it to exist."""
        if not self._run_id:
            self._run_id = str(self.until(self._find, "DAG run")[0][0])
        return self._run_id

    def task_pid(self, task_id: str = "upload", try_number: int = 1) -> int:
        """Return the process of a try, waiting for it to run."""
        return self.until(lambda: self._running(task_id, try_number), f"try {try_number} of {task_id}") or 0

    def until(self, look: Callable[[], T], what: str) -> T:
        """Wait for something that the run is expected to bring about."""
        return wait_for(lambda: look() or self._look_for_death(), what)

    def until_held(self, oss: DevServer, source: bucket.SourceFile, parts: int) -> list[int]:
        """Wait until the bucket holds so many parts, and return their numbers."""
        self.until(lambda: len(bucket.parts_held(oss, source.key)) >= parts, f"{parts} parts in the bucket")
        return bucket.parts_held(oss, source.key)

    def state(self, task_id: str = "upload") -> tuple[str | None, int]:
        """Return a task's state and try number."""
        task = self.airflow.task(self.run_id, task_id)
        return task.state, task.try_number

    def _find(self) -> list[tuple[Any, ...]]:
        return self.airflow.query("select run_id from dag_run where id > ? order by id", self._before)

    def _look_for_death(self) -> Any:
        assert not self.poll(), f"the run ended before that:\n{self.output[-4000:]}"
        return None

    def _running(self, task_id: str, try_number: int) -> int | None:
        task = self.airflow.task(self.run_id, task_id)
        mine = task.state == "running" and task.try_number == try_number and task.pid not in (None, self.pid)
        return task.pid if mine else None

    def _task_pids(self) -> list[int]:
        rows = self.airflow.query("select pid from task_instance where run_id = ? and state = 'running'", self._run_id)
        return [pid for (pid,) in rows if pid and pid != os.getpid()]


class NextTry(Child):
    """Another try of a task that Airflow takes for dead, whether it is or not; waited for at the end."""

    def __init__(self, run: Run, output: Path, task_id: str = "upload") -> None:
        super().__init__(lambda: _run_next_try(run.dag, run.run_id, task_id), output)

    def __enter__(self) -> NextTry:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill() if error else self.wait()


@functools.cache
def warm_up() -> None:
    """Do once, before the forks, what takes Airflow 3's API half a minute: work out its routes at its first request."""
    if AIRFLOW_3:
        _module("airflow.sdk.execution_time.supervisor").InProcessTestSupervisor._api_client().variables.get("no")


def _module(name: str) -> Any:
    return import_module(name)


def _end_with(function: Callable[[], object], output: Path) -> None:
    code = 1
    try:
        _redirect(output)
        _forget_the_parent()
        function()
        code = 0
    except BaseException:  # noqa: BLE001 - the child must end here, not in pytest
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(output: Path) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _forget_the_parent() -> None:
    """Drop what must not be shared with the parent: connections to the database and the thread of the API."""
    _module("airflow.settings").engine.dispose()
    if AIRFLOW_3:
        # Kept, because the end of one waits five seconds for a thread, which this process does not have.
        api = _module("airflow.sdk.execution_time.supervisor").in_process_api_server()
        with contextlib.suppress(AttributeError):
            _of_the_parent.append(type(api).transport.__get__(api))  # the slot: to ask for it would make one
            del api.transport


def _test(dag: Any, conf: dict[str, str], last_task: str) -> None:
    if AIRFLOW_3 and _module("airflow.models.dag_version").DagVersion.get_version(dag.dag_id):
        _parse_nothing_once()
    if last_task:
        forked_tries.install(leave_after=last_task)
    dag.test(run_conf=conf)


def _parse_nothing_once() -> None:
    """Let `dag.test()` leave the folder alone, which it has parsed before: that takes longer than the upload."""
    module = _module("airflow.dag_processing.dagbag")
    real = module.BundleDagBag, module.sync_bag_to_db

    def parse_nothing(**_: object) -> None:
        module.BundleDagBag = real[0]  # the task's process needs it

    def store_nothing(*_: object) -> None:
        module.sync_bag_to_db = real[1]

    module.BundleDagBag, module.sync_bag_to_db = parse_nothing, store_nothing


def _run_next_try(dag: Any, run_id: str, task_id: str) -> None:
    """Do what a scheduler does with a task whose heartbeat has stopped, then what `dag.test()` does."""
    models = _module("airflow.models.taskinstance"), _module("airflow.models.dagrun")
    session = _module("airflow.settings").Session()
    run = session.query(models[1].DagRun).filter_by(run_id=run_id).one()
    run.dag = _scheduler_dag(dag)
    lost = session.query(models[0].TaskInstance).filter_by(run_id=run_id, task_id=task_id).one()
    lost.task = run.dag.get_task(task_id)
    lost.handle_failure("no heartbeat", session=session)
    session.commit()
    while run.state == "running":
        session.expire_all()
        for ti in run.update_state(session=session)[0]:
            ti.try_number += 1
            ti.state = "scheduled"
            session.commit()
            _run_one(ti, dag, session)


def _scheduler_dag(dag: Any) -> Any:
    if not AIRFLOW_3:
        return dag
    serialization = _module("airflow.serialization.serialized_objects").DagSerialization
    return serialization.deserialize_dag(serialization.serialize_dag(dag))


def _run_one(ti: Any, dag: Any, session: Any) -> None:
    if AIRFLOW_3:
        _module("airflow.sdk.definitions.dag")._run_task(ti=ti, task=dag.task_dict[ti.task_id])
    else:
        ti.task = dag.task_dict[ti.task_id]
        _module("airflow.models.dag")._run_task(ti=ti, session=session)
