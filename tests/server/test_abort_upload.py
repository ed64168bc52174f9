"""An abort beside a client that still sends parts."""

from __future__ import annotations

import pytest

from airflow_provider_oss_resume.cleanup import abort_upload
from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import OSSResumeError
from airflow_provider_oss_resume.oss import OSSClient
from tests.server.uploads import BUCKET


def begin(server: DevServer, client: OSSClient, key: str, aborts_in_vain: int) -> str:
    """Begin an upload whose first aborts leave its part, as if it arrived after them."""
    upload_id = client.initiate_multipart_upload(BUCKET, key)
    client.upload_part(BUCKET, key, upload_id, 1, b"x")
    server.plan(FaultRule(FaultKind.REPLY, "AbortMultipartUpload", key=key, status=204, count=aborts_in_vain))
    server.clear_requests()
    return upload_id


def test_it_is_repeated_until_no_part_is_left(server: DevServer, client: OSSClient, key: str) -> None:
    upload_id = begin(server, client, key, aborts_in_vain=2)
    abort_upload(client, BUCKET, key, upload_id)
    assert len([one for one in server.requests("AbortMultipartUpload") if one.key == key]) == 3
    assert list(client.list_multipart_uploads(BUCKET, key)) == []


def test_it_is_given_up_where_parts_keep_arriving(server: DevServer, client: OSSClient, key: str) -> None:
    upload_id = begin(server, client, key, aborts_in_vain=5)
    with pytest.raises(OSSResumeError, match="another client is sending them"):
        abort_upload(client, BUCKET, key, upload_id)
    abort_upload(client, BUCKET, key, upload_id)
