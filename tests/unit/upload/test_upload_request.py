"""Bad input gets a clear error before the first byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss.client_encryption.master_keys import KMSMasterKey
from airflow_provider_oss_resume.upload import LocalFile, UploadRequest, UploadResult

MASTER = KMSMasterKey(encrypt=bytes, decrypt=bytes)
GOOD: dict[str, Any] = {"source": "/exports/a.csv", "bucket": "examplebucket", "key": "a.csv"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bucket": ""}, "no bucket: set bucket_name"),
        ({"bucket": None}, "no bucket: set bucket_name"),
        ({"bucket": "Example_Bucket"}, "illegal bucket name 'Example_Bucket': 3 to 63 lower-case"),
        ({"bucket": "ab"}, "illegal bucket name"),
        ({"bucket": "-ab"}, "illegal bucket name"),
        ({"key": ""}, "no key: set the full name of the object"),
        ({"key": None}, "no key"),
        ({"key": "/a.csv"}, "illegal key '/a.csv': it must not start with '/'.*write 'a.csv'"),
        ({"key": "ä" * 512}, "has 1024 bytes: OSS accepts up to 1023"),
        ({"key": "\ud800"}, "not valid Unicode"),
        ({"part_size": 102_399}, "part_size 102399 is out of bounds"),
        ({"part_size": 5 * 1024**3 + 1}, "part_size 5368709121 is out of bounds"),
        ({"part_size": "8 MiB"}, "part_size '8 MiB' is not a whole number of bytes"),
        ({"max_concurrency": 0}, "max_concurrency is 0: it must be a whole number from 1 to 256"),
        ({"max_concurrency": 257}, "max_concurrency is 257"),
        ({"max_concurrency": True}, "max_concurrency is True"),
        ({"max_concurrency": "4"}, "max_concurrency is '4'"),
        ({"multipart_threshold": -1}, "multipart_threshold is -1: it must be a whole number from 0 to 5368709120"),
        ({"multipart_threshold": 5 * 1024**3 + 1}, "multipart_threshold is 5368709121"),
        ({"source": ""}, "source is empty: it must be the path of the file"),
        ({"source": None}, "source is empty: it must be the path of the file"),
        ({"source": b"/exports/a.csv"}, "source is bytes: give io.BytesIO"),
        ({"source": 7}, "source is 7: give the path"),
        ({"upload_id": 5}, "upload_id is 5: it must be a string"),
        ({"key": "/"}, r"write 'exports/orders.parquet'"),
        ({"sequential": "no"}, "sequential is 'no': it must be True or False"),
        ({"verify_resume": None}, "verify_resume is None"),
        ({"adopt_uploads": 1}, "adopt_uploads is 1"),
        ({"callback_required": ""}, "callback_required is ''"),
        ({"master_key": "-----BEGIN"}, "master_key is a str: it must be an RSAMasterKey or a KMSMasterKey"),
        ({"master_key": MASTER, "part_size": 102_401}, "part_size 102401 must be a multiple of 16"),
        (
            {"master_key": MASTER, "upload_id": "U1"},
            "upload_id 'U1' with client-side encryption: .*leave upload_id out",
        ),
        ({"check_times": False, "verify_resume": False}, "check_times=False .*check_source_times.*verify_resume=False"),
        ({"check_times": False, "master_key": MASTER}, "check_times=False .* with client-side encryption"),
        (
            {"source": LocalFile("/exports/a.csv", check_times=False), "verify_resume": False},
            "check_times=False .* with verify_resume=False",
        ),
        ({"source": LocalFile("/exports/a.csv"), "check_times": False}, r"LocalFile\(path, check_times=False\)"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        UploadRequest(**{**GOOD, **changes})


@pytest.mark.parametrize(
    "changes", [{"max_concurrency": 256}, {"multipart_threshold": 0}, {"part_size": 102_400}, {"key": "a" * 1023}]
)
def test_what_is_just_legal_is_taken(changes: dict[str, Any]) -> None:
    UploadRequest(**{**GOOD, **changes})


def test_a_path_is_a_local_file_and_a_source_is_itself() -> None:
    source = LocalFile("/exports/a.csv")
    assert UploadRequest(**{**GOOD, "source": source}).as_source() is source
    for path in ("/exports/a.csv", Path("/exports/a.csv")):
        assert UploadRequest(**{**GOOD, "source": path}).as_source().uri == "file:///exports/a.csv"


def test_the_result_is_plain_values_and_the_crc_a_text() -> None:
    result = UploadResult("b", "k", 7, "ETAG", 2**64 - 1, parts=1, duration_s=1.23456)
    assert result.as_dict() == {
        "bucket": "b",
        "key": "k",
        "size": 7,
        "etag": "ETAG",
        "crc64": "18446744073709551615",  # a JSON reader would round the number
        "parts": 1,
        "parts_reused": 0,
        "bytes_sent": 0,
        "bytes_reused": 0,
        "resumed": False,
        "skipped": False,
        "duration_s": 1.235,
        "upload_id": "",
    }


@pytest.mark.parametrize("name", ["sequential", "verify_resume", "check_times", "adopt_uploads", "callback_required"])
def test_the_text_false_is_not_taken_for_true(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is 'False': it must be True or False"):
        UploadRequest("a.bin", "examplebucket", "k", **{name: "False"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "said"),
    [("options", "options is 'x': it must be ObjectOptions"), ("master_key", "master_key is a str: it must be an R")],
)
def test_arguments_of_another_kind(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        UploadRequest("a.bin", "examplebucket", "k", **{name: "x"})  # type: ignore[arg-type]
