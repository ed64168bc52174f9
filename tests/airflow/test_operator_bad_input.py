"""What cannot work ends the task in its first try, names the value and the remedy, and sends nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import LocalFile
from tests.airflow import bucket
from tests.airflow.cases import Cases

GIB = 1024**3


def refused(cases: Cases, source: bucket.SourceFile, said: str, **conf: object) -> None:
    run = cases.run("from_conf", source, **conf)
    assert (run.states, run.tries) == (["failed"], 1)
    assert said in run.output
    assert "counters:" not in run.output  # a line of zeros: nothing was begun
    assert run.requests == []
    assert cases.airflow.variables() == []


# ---------------------------------------------------------------- the source


def test_no_source(cases: Cases) -> None:
    run = cases.run("from_conf", bucket.SourceFile(Path("/nowhere"), "k"), source="")
    assert (run.states, run.tries, run.requests) == (["failed"], 1, [])
    assert "source is empty: it must be the path of the file to upload" in run.output


def test_a_device(cases: Cases) -> None:
    refused(cases, bucket.SourceFile(Path("/dev/null"), "k"), "is not a regular file")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "k", 2)
    source.path.chmod(0)
    with as_nobody(), pytest.raises(ConfigurationError, match="may not be read by user id"):
        LocalFile(source.path).open()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to read everything for a while."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


# ---------------------------------------------------------------- arguments, as templates give them

ARGUMENTS: dict[str, tuple[dict[str, object], str]] = {
    "no key": ({"key": ""}, "no key: set the full name of the object in the bucket, such as 'exports/orders.parquet'"),
    "absolute key": (
        {"key": "/exports/a"},
        "illegal key '/exports/a': it must not start with '/' or a backslash; write",
    ),
    "key too long": ({"key": "ä" * 512}, "has 1024 bytes: OSS accepts up to 1023"),
    "no bucket": ({"bucket_name": ""}, "no bucket: set bucket_name, or the schema field of the connection"),
    "illegal bucket": ({"bucket_name": "Example_Bucket"}, "illegal bucket name 'Example_Bucket': 3 to 63 lower-case"),
    "part size below": ({"part_size": 102399}, "part_size 102399 is out of bounds: OSS accepts 102400 (100 KiB)"),
    "part size above": ({"part_size": 5 * GIB + 1}, "part_size 5368709121 is out of bounds"),
    "part size no number": ({"part_size": "8 XiB"}, "part_size is '8 XiB': it must be a number of bytes"),
    "no threads": ({"max_concurrency": 0}, "max_concurrency is 0: it must be a whole number from 1 to 256"),
    "threshold": (
        {"multipart_threshold": "5368709121"},
        "multipart_threshold is 5368709121: it must be",
    ),
    "acl": ({"acl": "public"}, "unknown acl 'public': use one of default, private, public-read, public-read-write"),
    "storage class": ({"storage_class": "Glacier"}, "unknown storage_class 'Glacier': use one of Standard, IA"),
    "traffic limit": ({"traffic_limit": 1000}, "traffic_limit 1000 is out of bounds: OSS accepts 245760 to 838860800"),
    "replace": ({"replace": "perhaps"}, "replace is 'perhaps': it must be True or False"),
    "durable": ({"durable": "0"}, "durable is '0': it must be True or False"),
    "another bucket in the key": (
        {"key": "oss://another/exports/a"},
        "names the bucket 'another', but bucket_name is 'examplebucket': leave bucket_name out",
    ),
    "a bucket without a key": ({"key": "oss://examplebucket/"}, "names no object: write oss://bucket/key"),
    "no connection": (
        {"oss_conn_id": ""},
        "oss_conn_id is '': it must be the id of a connection, such as 'oss_default'",
    ),
}


@pytest.mark.parametrize(("conf", "said"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_an_argument(oss: DevServer, cases: Cases, tmp_path: Path, conf: dict[str, object], said: str) -> None:
    """In this process: what Airflow does after AirflowFailException the other tests show."""
    source = bucket.write_source(tmp_path, "bad-argument.bin", 2)
    oss.clear_requests()
    with pytest.raises(AirflowFailException) as caught:
        cases.execute("from_conf", source, **conf)
    assert said in str(caught.value)
    assert isinstance(caught.value.__context__, ConfigurationError)
    assert caught.value.__cause__ is None  # the log shows the message once
    assert caught.value.__suppress_context__
    assert oss.requests() == []


def test_an_argument_of_a_real_try(cases: Cases, tmp_path: Path) -> None:
    source = bucket.write_source(tmp_path, "bad-argument.bin", 2)
    refused(cases, source, "part_size 102399 is out of bounds: OSS accepts 102400 (100 KiB)", part_size=102399)


def test_parts_too_small_for_ten_thousand_of_them(cases: Cases, tmp_path: Path) -> None:
    path = tmp_path / "sparse.bin"
    with path.open("wb") as file:
        file.truncate(2 * GIB)
    refused(
        cases,
        bucket.SourceFile(path, "k"),
        "part_size 102400 is too small: 2147483648 bytes would need more than 10000 parts; use at least 1048576",
        part_size=102400,
    )


# ---------------------------------------------------------------- the connection

CONNECTIONS: dict[str, tuple[Mapping[str, Any], str]] = {
    "no credentials": (
        {"host": "https://oss-cn-hangzhou.aliyuncs.com", "extra": {}},
        "no access key id and no access key secret, fill login and password",
    ),
    "no scheme": ({"host": "oss-cn-hangzhou.aliyuncs.com"}, "does not start with http:// or https://: write it as"),
    "path": (
        {"host": "https://oss-cn-hangzhou.aliyuncs.com/a"},
        "has more than a host: write it as https://oss-cn-hang",
    ),
    "region": ({"host": "https://files.example.com"}, "does not contain its region, which signature V4 needs"),
}


@pytest.mark.parametrize(("fields", "said"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_connection(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: Mapping[str, Any], said: str
) -> None:
    good = {"conn_type": "oss_resume", "extra": {"access_key_id": "an-id", "access_key_secret": "a-secret"}}
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(good | dict(fields)))
    refused(cases, bucket.write_source(tmp_path, "bad-connection.bin", 2), said)


# ---------------------------------------------------------------- when the DAG file is read


def operator(**arguments: Any) -> ResumableUploadOperator:
    return ResumableUploadOperator(**{"task_id": "upload", "source": "/a", "key": "a", **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"checkpoint_store": "redis"}, "unknown checkpoint_store 'redis': use 'auto', "),
        ({"checkpoint_store": MemoryStore}, "or an object with load(), save(text) and delete()"),
        ({"progress_callback": "print"}, "progress_callback is 'print': it must be a function"),
        ({"delete_upload_on_kill": "{{ a }}"}, "delete_upload_on_kill is '{{ a }}': it must be True or False"),
        ({"retry_from_progress": 1}, "retry_from_progress is 1: it must be True or False"),
        ({"max_reruns": 0}, "max_reruns is 0: it must be a whole number of at least 1"),
        ({"max_reruns": True}, "max_reruns is True: it must be a whole number"),
        (
            {"stop_before_timeout": 5, "execution_timeout": timedelta(hours=1)},
            "stop_before_timeout is 5: it must be a timedelta, such as timedelta(minutes=1)",
        ),
    ],
    ids=[
        "unknown store",
        "class of a store",
        "progress",
        "delete on kill",
        "retry",
        "no reruns",
        "reruns",
        "hand-over",
    ],
)
def test_what_no_template_can_mend_is_an_import_error_of_the_dag(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        operator(**arguments)
    assert said in str(caught.value)


def test_what_is_required_is_required() -> None:
    with pytest.raises(Exception, match=r"missing keyword argument.*key"):
        ResumableUploadOperator(task_id="upload", source="/a", retry_delay=timedelta(0))  # type: ignore[call-arg]
