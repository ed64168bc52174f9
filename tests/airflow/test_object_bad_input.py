"""Input that cannot work, for the tasks and hook methods that read, wait, copy and delete: nothing is done unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    ObjectStoragePath,
    TaskDeferred,
)

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import ConfigurationError, EmptySelectionError, TargetError
from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.cleanup import AbortStaleUploadsOperator
from airflow_provider_oss_resume.operators.copy import CopyObjectOperator
from airflow_provider_oss_resume.operators.delete import DeleteObjectsOperator
from airflow_provider_oss_resume.operators.download import ResumableDownloadOperator
from airflow_provider_oss_resume.sensors.object import OSSObjectSensor
from tests.airflow import bucket

_numbers = count()
BOTH = {"source_bucket_name": bucket.NAME, "dest_bucket_name": bucket.NAME}
ONE = {"bucket_name": bucket.NAME}


@pytest.fixture(autouse=True)
def prefix(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix that no other test uses, with one object."""
    connection = json.loads(bucket.connection(oss)) | {"schema": bucket.NAME}
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection))
    OSSFileSystem.clear_instance_cache()
    name = f"bad-input/{next(_numbers)}"
    OSSResumeHook().upload_bytes(b"1", f"{name}/a")
    return name


def context() -> Any:
    return {"outlet_events": {}}


def task(kind: Callable[..., Any], **arguments: Any) -> Any:
    """Make a task; a sensor looks once."""
    once = {"timeout": 0, "poke_interval": 0.1} if kind is OSSObjectSensor else {}
    with DAG("bad_input", schedule=None):
        return kind(task_id="x", **{**once, **arguments})


# ---------------------------------------------------------------- keys and prefixes


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ResumableDownloadOperator, {**ONE, "path": "/tmp/", "prefix": "/{}/"}),
        (ResumableDownloadOperator, {**ONE, "path": "/tmp/", "prefix": "\\{}/"}),
        (DeleteObjectsOperator, {**ONE, "keys": "/{}/a"}),
        (DeleteObjectsOperator, {**ONE, "keys": ["/{}/a"]}),
        (DeleteObjectsOperator, {**ONE, "prefix": "/{}/"}),
        (CopyObjectOperator, {**BOTH, "source_key": "/{}/a", "dest_key": "b"}),
        (OSSObjectSensor, {**ONE, "key": "/{}/a"}),
        (OSSObjectSensor, {**ONE, "key": "/{}/*", "wildcard_match": True}),
        (AbortStaleUploadsOperator, {**ONE, "prefix": "/{}/", "spare_checkpoints": False}),
    ],
)
def test_a_leading_slash_matches_nothing_and_is_refused(
    prefix: str, kind: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    filled = json.loads(json.dumps(arguments).replace("{}", prefix))
    with pytest.raises(AirflowFailException, match=f"must not start with '/' or a backslash; write '{prefix}/"):
        task(kind, **filled).execute(context())
    assert OSSResumeHook().exists(f"{prefix}/a")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ResumableDownloadOperator, {**ONE, "path": "/tmp/", "key": "None"}),
        (DeleteObjectsOperator, {**ONE, "keys": "None"}),
        (CopyObjectOperator, {**BOTH, "source_key": "a", "dest_key": "None"}),
        (CopyObjectOperator, {**BOTH, "source_key": "None", "dest_key": "b"}),
        (OSSObjectSensor, {**ONE, "key": "None"}),
    ],
)
def test_a_template_that_rendered_to_none_is_no_key(kind: Callable[..., Any], arguments: dict[str, Any]) -> None:
    OSSResumeHook().upload_bytes(b"1", "None")
    with pytest.raises(AirflowFailException, match="None"):
        task(kind, **arguments).execute(context())
    assert OSSResumeHook().exists("None")
    OSSResumeHook().delete("None")


@pytest.mark.parametrize("text", ["['a', 'b']", "[]", '["a"]', "('a', 'b')"])
def test_a_list_that_a_template_rendered_to_text_is_no_key(text: str) -> None:
    for kind, arguments in (
        (DeleteObjectsOperator, {"keys": text}),
        (ResumableDownloadOperator, {"key": text, "path": "/tmp/"}),
        (OSSObjectSensor, {"key": text}),
    ):
        with pytest.raises(AirflowFailException, match="render_template_as_native_obj=True"):
            task(kind, **ONE, **arguments).execute(context())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (None, "keys is None"),
        (5, "keys is 5"),
        ({"a": 1}, "keys is {'a': 1}"),
        (["a", ""], "no key"),
        (["a", "/b"], "must not start with"),
    ],
)
def test_keys_to_delete_are_all_read_before_one_is_deleted(prefix: str, keys: Any, message: str) -> None:
    given = [f"{prefix}/a", *keys] if isinstance(keys, list) else keys
    with pytest.raises(ConfigurationError, match=message):
        OSSResumeHook().delete_keys(given)
    assert OSSResumeHook().exists(f"{prefix}/a")


# ---------------------------------------------------------------- downloads


def test_a_prefix_without_objects(prefix: str, tmp_path: Path) -> None:
    arguments = {**ONE, "prefix": f"{prefix}/nothing/", "path": str(tmp_path)}
    with pytest.raises(EmptySelectionError, match=f"no object under oss://{bucket.NAME}/{prefix}/nothing/"):
        task(ResumableDownloadOperator, **arguments).execute(context())
    with pytest.raises(AirflowSkipException):
        task(ResumableDownloadOperator, **arguments, if_empty="skip").execute(context())
    done = task(ResumableDownloadOperator, **arguments, if_empty="succeed").execute(context())
    assert (done["count"], done["paths"]) == (0, [])
    with pytest.raises(AirflowFailException, match="if_empty is 'x'"):
        task(ResumableDownloadOperator, **arguments, if_empty="x").execute(context())


def test_a_key_that_is_a_folder_of_another_key(prefix: str, tmp_path: Path) -> None:
    OSSResumeHook().upload_bytes(b"2", f"{prefix}/a/b")
    with pytest.raises(AirflowFailException, match=r"a' and '.*/a/b' .*one path"):
        task(ResumableDownloadOperator, **ONE, prefix=f"{prefix}/", path=str(tmp_path)).execute(context())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_a_file_of_a_prefix_would_be(prefix: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(AirflowFailException, match=f"{tmp_path}/a.* is a folder"):
        task(ResumableDownloadOperator, **ONE, prefix=f"{prefix}/", path=str(tmp_path)).execute(context())
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("path", [None, 5, b"x", "x\0y", "s3://bucket/x", "https://host/x"])
def test_paths_that_cannot_be_written(prefix: str, path: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="path"):
        OSSResumeHook().download_file(f"{prefix}/a", path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_url_is_a_path(prefix: str, tmp_path: Path) -> None:
    assert OSSResumeHook().download_file(f"{prefix}/a", f"file://{tmp_path}/b") == f"{tmp_path}/b"
    assert (tmp_path / "b").read_bytes() == b"1"


def test_a_download_that_fails_keeps_the_older_object(prefix: str, oss: DevServer) -> None:
    hook, to = OSSResumeHook(), f"{prefix}/older"
    hook.upload_bytes(b"older", to)
    oss.plan(FaultRule(FaultKind.REPLY, "GetObject", key=f"{prefix}/a", status=403, code="AccessDenied"))
    with pytest.raises(AirflowFailException):
        task(ResumableDownloadOperator, **ONE, key=f"{prefix}/a", path=f"oss://{bucket.NAME}/{to}").execute(context())
    assert hook.read_bytes(to) == b"older"


def test_a_target_that_cannot_be_written_is_named(prefix: str) -> None:
    with pytest.raises(TargetError, match=r"oss://no-such-bucket/x cannot be written.*NoSuchBucket"):
        task(ResumableDownloadOperator, **ONE, key=f"{prefix}/a", path="oss://no-such-bucket/x").execute(context())


# ---------------------------------------------------------------- the sensor


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_size": -1}, "min_size is -1"),
        ({"exact_size": -1}, "exact_size is -1"),
        ({"min_size": 5, "exact_size": 3}, "exact_size is 3 and min_size is 5"),
        ({"crc64": -1}, "crc64 is -1"),
        ({"crc64": 2**64}, "crc64 is 18446744073709551616"),
        ({"wildcard_match": "x"}, "wildcard_match is 'x'"),
        ({"use_regex": "x"}, "use_regex is 'x'"),
        ({"deferrable": "x"}, "deferrable is 'x'"),
    ],
)
def test_what_a_sensor_would_wait_for_in_vain(prefix: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((AirflowFailException, ConfigurationError), match=message):
        task(OSSObjectSensor, **ONE, key=f"{prefix}/a", **arguments).execute(context())


def test_a_flag_that_a_template_engine_made_text(prefix: str) -> None:
    sensor = task(OSSObjectSensor, **ONE, key=f"{prefix}/*", wildcard_match="False", deferrable="True")
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    assert deferred.value.trigger.expectations[0]["match"] == "key"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_soft_fail_skips_whatever_way_it_waits(deferrable: bool) -> None:
    sensor = task(OSSObjectSensor, bucket_name="no-such-bucket", key="a", soft_fail=True, deferrable=deferrable)
    with pytest.raises(AirflowSkipException):
        sensor.execute(context())


def test_a_silent_fail_waits_on_whatever_way_it_waits(prefix: str, oss: DevServer) -> None:
    oss.plan(FaultRule(FaultKind.REPLY, "HeadObject", count=1, status=409, code="Conflict"))
    sensor = task(OSSObjectSensor, **ONE, key=f"{prefix}/b", silent_fail=True, deferrable=True, timeout=60)
    with pytest.raises(TaskDeferred):
        sensor.execute(context())


# ---------------------------------------------------------------- other methods of the hook


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda hook: hook.generate_presigned_url("a", expires_in="soon"), "expires_in is 'soon'"),
        (lambda hook: hook.generate_presigned_url("a", expires_in=None), "expires_in is None"),
        (lambda hook: hook.generate_presigned_url("a", expires_in=True), "expires_in is True"),
        (lambda hook: hook.generate_presigned_url("a", method=None), "method is None"),
        (lambda hook: hook.generate_presigned_url("a", headers="x"), "headers is 'x'"),
        (lambda hook: hook.set_tags("a", {"b": 1}), "tags has 'b' of type int"),
        (lambda hook: hook.set_tags("a", "x"), "tags is 'x'"),
        (lambda hook: list(hook.list_uploads(older_than=7)), "older_than is 7"),
        (lambda hook: list(hook.list_uploads(older_than=timedelta.max)), "older_than is .* before the year 1"),
        (lambda hook: list(hook.list_keys(delimiter=5)), "delimiter is 5"),
        (lambda hook: hook.load_string("a", b"x"), "content is b'x'"),
        (lambda hook: hook.append_string(None, None, "a", 0), "content is None"),
    ],
)
def test_arguments_of_the_wrong_type(call: Callable[[OSSResumeHook], Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        call(OSSResumeHook())


def test_an_age_before_all_time() -> None:
    with pytest.raises(ConfigurationError, match="before the year 1"):
        AbortStaleUploadsOperator(task_id="x", older_than=timedelta.max)


def test_a_replace_that_rendered_to_none_is_the_default(prefix: str) -> None:
    done = task(CopyObjectOperator, **BOTH, source_key=f"{prefix}/a", dest_key=f"{prefix}/b", replace="None")
    assert done.execute(context())["key"] == f"{prefix}/b"


def test_a_path_object_is_a_target(prefix: str) -> None:
    to = ObjectStoragePath(f"oss://{bucket.NAME}/{prefix}/path")
    task(ResumableDownloadOperator, **ONE, key=f"{prefix}/a", path=to).execute(context())
    assert OSSResumeHook().read_bytes(f"{prefix}/path") == b"1"
