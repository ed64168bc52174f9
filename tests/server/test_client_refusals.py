"""No method of the client sends a larger request because an argument is empty."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.bucket_operations import BucketOperations
from airflow_provider_oss_resume.oss.change_operations import ChangeOperations
from airflow_provider_oss_resume.oss.listing_operations import ListingOperations
from airflow_provider_oss_resume.oss.multipart_operations import MultipartOperations
from airflow_provider_oss_resume.oss.object_operations import ObjectOperations
from airflow_provider_oss_resume.oss.range_operations import RangeOperations
from tests.server.uploads import BUCKET

OPERATIONS = (
    BucketOperations,
    ChangeOperations,
    ListingOperations,
    MultipartOperations,
    ObjectOperations,
    RangeOperations,
)
SOURCE = (BUCKET, "source")
METHODS: dict[str, tuple[Any, ...]] = {
    "abort_multipart_upload": (BUCKET, "key", "id"),
    "complete_multipart_upload": (BUCKET, "key", "id", []),
    "append_object": (BUCKET, "key", 0, b"x"),
    "copy_object": (SOURCE, BUCKET, "key"),
    "delete_bucket": (BUCKET,),
    "delete_object": (BUCKET, "key"),
    "delete_objects": (BUCKET, ["key"]),
    "get_object": (BUCKET, "key"),
    "get_object_tagging": (BUCKET, "key"),
    "head_object": (BUCKET, "key"),
    "initiate_multipart_upload": (BUCKET, "key"),
    "list_buckets": (),
    "list_multipart_uploads": (BUCKET,),
    "list_objects": (BUCKET,),
    "list_prefixes": (BUCKET,),
    "object_pages": (BUCKET,),
    "put_bucket": (BUCKET,),
    "put_object_tagging": (BUCKET, "key", {"a": "b"}),
    "read_range": (BUCKET, "key", 0, 0, "etag", len),
    "list_upload": (BUCKET, "key", "id"),
    "list_parts": (BUCKET, "key", "id"),
    "list_part_range": (BUCKET, "key", "id", 1, 10),
    "presign_get_object": (BUCKET, "key"),
    "presign_put_object": (BUCKET, "key"),
    "put_object": (BUCKET, "key", b"x"),
    "upload_part": (BUCKET, "key", "id", 1, b"x"),
    "upload_part_copy": (BUCKET, "key", "id", 1, SOURCE, (0, 0)),
}


def emptied(arguments: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the arguments with each string in turn empty, missing or not a string."""
    found = []
    for place, value in enumerate(arguments):
        if isinstance(value, str):
            found += [(*arguments[:place], bad, *arguments[place + 1 :]) for bad in ("", None)]
        elif value == SOURCE:
            found += [(*arguments[:place], bad, *arguments[place + 1 :]) for bad in ((BUCKET, ""), ("", "key"))]
    return found


def run(method: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Call a method and use its result, because an iterator sends nothing before it is used."""
    result = method(*arguments)
    if isinstance(result, AbstractContextManager):
        with result:
            pass
    else:
        list(result)


CALLS = [(name, one) for name, arguments in METHODS.items() for one in emptied(arguments)]


def test_every_method_is_in_the_table() -> None:
    public = {name for one in OPERATIONS for name in vars(one) if not name.startswith("_")}
    assert public == set(METHODS)


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[f"{name}{one}" for name, one in CALLS])
def test_an_empty_argument_is_refused_before_anything_is_sent(
    server: DevServer, client: OSSClient, name: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(ConfigurationError):
        run(getattr(client, name), arguments)
    assert server.requests() == []
