"""`dag.test()` with every try of a task in a forked process of its own, so that a try can die by SIGKILL.

`dag.test()` runs tasks in the calling process: a task that kills itself would take pytest with it. Here each try
gets a process as it does in production: on Airflow 3 under the real supervisor, with its socket and the routes of the
execution API; on Airflow 2 under a parent that plays the zombie scan. A real retry costs under a second this way.

Both halves replace private functions of Airflow and hold for the versions pinned in constraints/. They don't stand in
for test_scheduler.py, where nothing is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from demo.versions import AIRFLOW_3


def install(leave_after: str = "") -> None:
    """Make `dag.test()` fork from now on.

    :param leave_after: end this process as soon as a try of this task has ended, whatever `dag.test()` would do next.
    """
    if AIRFLOW_3:
        _module("airflow.sdk.execution_time.supervisor").run_task_in_process = _leaving(_run_supervised, leave_after)
    else:
        _module("airflow.providers.fab.auth_manager.models")  # the ab_user table, for foreign keys
        _module("airflow.models.dag")._run_task = partial(_run_forked, leave_after=leave_after)


def _leaving(run: Callable[..., Any], leave_after: str) -> Callable[..., Any]:
    def run_one(ti: Any, task: Any, client: object = None) -> Any:
        result = run(ti, task, client)
        if ti.task_id == leave_after:
            os._exit(0)
        return result

    return run_one


def _module(name: str) -> Any:
    """Import a module that only one of the two versions has, or has with these names."""
    return import_module(name)


# ---------------------------------------------------------------- Airflow 3


def _run_supervised(ti: Any, task: Any, client: object = None) -> Any:
    supervisor = _module("airflow.sdk.execution_time.supervisor")
    process = supervisor.ActivitySubprocess.start(
        what=ti,
        dag_rel_path=os.path.basename(task.dag.fileloc),
        bundle_info=_module("airflow.executors.workloads.base").BundleInfo(name="dags-folder"),
        client=supervisor.InProcessTestSupervisor._api_client(task.dag),
        subprocess_logs_to_stdout=True,
    )
    process.wait()
    ended = SimpleNamespace(state=process.final_state, task=task)
    return supervisor.TaskRunResult(ti=ended, state=process.final_state, msg=None, error=None)


# ---------------------------------------------------------------- Airflow 2


def _run_forked(
    *, ti: Any, session: Any, inline_trigger: bool = False, mark_success: bool = False, leave_after: str = ""
) -> None:
    session.commit()
    _module("airflow.settings").engine.dispose()  # a connection must not be shared by two processes
    pid = os.fork()
    if pid == 0:
        _end_child_with(ti)
    os.waitpid(pid, 0)
    if ti.task_id == leave_after:
        os._exit(0)
    session.expire_all()
    ti.refresh_from_db(session=session)
    if ti.state == "running":  # nobody wrote an end: what the zombie scan looks for
        ti.handle_failure("killed", session=session)
        session.commit()


def _end_child_with(ti: Any) -> None:
    code = 1
    try:
        _run_raw(ti)
        code = 0
    finally:
        os._exit(code)


def _run_raw(ti: Any) -> None:
    _module("airflow.settings").reconfigure_orm(disable_connection_pool=True)
    key = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
    with _module("airflow.utils.session").create_session() as session:
        own = session.get(_module("airflow.models.taskinstance").TaskInstance, key)
        own.task = ti.task
        own.check_and_change_state_before_execution(ignore_all_deps=True, ignore_ti_state=True, session=session)
        own._run_raw_task(session=session)
