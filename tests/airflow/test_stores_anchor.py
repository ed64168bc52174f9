"""Under which task an upload keeps its checkpoint when it keeps it in XCom."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, TaskGroup, task_group

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.stores.naming import is_store_key
from airflow_provider_oss_resume.stores.xcom import find_anchor
from airflow_provider_oss_resume.task_groups import anchored_upload
from airflow_provider_oss_resume.task_groups.anchored import _empty_operator
from tests.airflow import bucket, runs
from tests.airflow.background import Run

PARTS = 12


def dag() -> Any:
    return DAG(dag_id="anchors", schedule=None)


class Named(BaseOperator):
    """A task that would run, and could be mapped."""

    def __init__(self, *, name: str = "", **settings: Any) -> None:
        super().__init__(**settings)
        self.name = name


def real(task_id: str, **settings: Any) -> Any:
    return Named(task_id=task_id, **settings)


def mapped(task_id: str) -> Any:
    return Named.partial(task_id=task_id).expand(name=["a", "b"])


def test_an_empty_operator_far_away_is_better_than_a_real_task_nearby() -> None:
    with dag():
        empty, near, upload = _empty_operator("empty"), real("near"), real("upload")
        empty >> near >> upload
    assert find_anchor(upload) == "empty"


def test_the_nearest_of_equals_is_taken() -> None:
    with dag():
        far, near, upload = _empty_operator("a_far"), _empty_operator("z_near"), real("upload")
        far >> near >> upload
    assert find_anchor(upload) == "z_near"


def test_an_empty_operator_that_has_to_run_is_no_better_than_others() -> None:
    with dag():
        called_back = _empty_operator("far", on_success_callback=print)
        near, upload = real("near"), real("upload")
        called_back >> near >> upload
    assert find_anchor(upload) == "near"


def test_any_unmapped_task_upstream_will_do() -> None:
    with dag():
        first, upload = real("first"), real("upload")
        first >> mapped("mapped") >> upload
    assert find_anchor(upload) == "first"


@pytest.mark.parametrize("where", ["alone", "below a mapped task", "above others"])
def test_without_one_the_message_says_what_to_add(where: str) -> None:
    with dag():
        upload = real("upload")
        if where == "below a mapped task":
            mapped("mapped") >> upload
        if where == "above others":
            upload >> _empty_operator("below")
    with pytest.raises(ConfigurationError, match=r"put an EmptyOperator before it, or .*anchored_upload\(\)"):
        find_anchor(upload)


def test_a_task_inside_a_mapped_group_is_none() -> None:
    @task_group
    def each(name: str) -> None:
        _empty_operator("inside") >> real("upload", name=name)

    with dag() as whole:
        each.expand(name=["a", "b"])
    with pytest.raises(ConfigurationError, match="EmptyOperator"):
        find_anchor(whole.get_task("each.upload"))


def test_the_factory_works_inside_other_groups() -> None:
    with dag() as whole:
        before = real("before")
        with TaskGroup("outer"):
            group = anchored_upload("orders", source="/x", key="x")
        before >> group
    assert find_anchor(whole.get_task("outer.orders.upload")) == "outer.orders.checkpoint"


def test_without_one_nothing_is_asked_of_airflow_or_oss(
    begin: Callable[[str, bucket.SourceFile], Run], oss: DevServer, tmp_path: Path
) -> None:
    """The task's connection does not exist: had it been asked for, the error would be another."""
    source = bucket.write_source(tmp_path, "no-anchor.bin", PARTS)
    with begin("no_anchor", source) as run:
        run.wait()
        assert run.state() == ("failed", 1)
    assert run.said("put an EmptyOperator before it")
    assert not run.said("no_such_connection` doesn't exist")
    assert [one for one in oss.requests() if one.key == source.key] == []


def test_the_factory_resumes_after_sigkill(
    begin: Callable[[str, bucket.SourceFile], Run], oss: DevServer, tmp_path: Path
) -> None:
    source = bucket.write_source(tmp_path, "in-group.bin", PARTS)
    bucket.slow_parts(oss, source.key)
    bucket.hold_completion(oss, source.key)
    with begin("in_group", source) as run:
        task = run.task_pid("one.upload")
        run.until_held(oss, source, PARTS // 3)
        where = run.airflow.query("select task_id, key from xcom where run_id = ?", run.run_id)
        os.kill(task, signal.SIGKILL)
        oss.clear_faults()
        run.wait()
        assert run.state("one.upload") == ("success", 2)
    assert [task for task, key in where if is_store_key(key)] == ["one.checkpoint"]
    assert run.said("resuming the upload of the checkpoint")
    assert bucket.stored_sha256(oss, source.key) == source.sha256
    assert runs.left_behind(run.airflow) == []
