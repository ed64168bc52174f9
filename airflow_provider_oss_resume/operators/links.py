"""The link from a task instance to its object, shown on the task's page in Airflow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.oss import OSSClient

log = logging.getLogger(__name__)

CONSOLE = "https://oss.console.alibabacloud.com"


class OSSObjectLink(BaseOperatorLink):
    """Link to the object in the OSS console."""

    name = "OSS object"
    xcom_key = "oss_resume_object_link"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the URL that the task pushed; empty before the upload starts."""
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


def push_object_link(context: Context, url: str) -> None:
    """Store the link of a running task instance.

    An error of the database is only logged: the link must not fail an upload.
    """
    try:
        context["ti"].xcom_push(key=OSSObjectLink.xcom_key, value=url)
    except Exception as error:  # noqa: BLE001 - whatever Airflow's XCom backend raises
        log.warning("the link to the object cannot be stored: %s: %s", type(error).__name__, error)


def link_to_object(client: OSSClient, bucket: str, key: str) -> str:
    """Return the URL of an object for a person.

    It is the object's folder in the OSS console if the endpoint contains the region, else the object's URL.
    It has no signature, so it gives no access to the object.
    """
    from airflow_provider_oss_resume.oss.addressing import parse_endpoint, region_of

    region = region_of(parse_endpoint(client.endpoint))
    if region is None:
        return client.object_url(bucket, key)
    folder, slash, _ = key.rpartition("/")
    return f"{CONSOLE}/bucket/oss-{region}/{bucket}/object?path={quote(folder + slash, safe='')}"
