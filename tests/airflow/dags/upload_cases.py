"""DAGs in which an upload goes wrong, or is asked for in unusual words; the run's configuration says how."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
from airflow_provider_oss_resume.stores.naming import TaskIdentity
from demo.versions import AIRFLOW_3

log = logging.getLogger(__name__)

# An argument that the run's configuration may give; else empty, which the operator takes for "not given".
FROM_CONF = """
    part_size max_concurrency multipart_threshold content_type acl storage_class traffic_limit if_exists source_conn_id
"""
BUCKET = "{{ dag_run.conf.get('bucket_name', 'examplebucket') }}"
SOURCE = "{{ dag_run.conf['source'] }}"
KEY = "{{ dag_run.conf['key'] }}"
PARTS = {
    "part_size": 256 * 1024,
    "multipart_threshold": 1024 * 1024,
    "max_concurrency": 4,  # more would finish what is to be struck in the middle
    "checkpoint_store": "variable",
}


@task(retries=0)
def sorted_files(folder: str) -> list[str]:
    """Return the files of a directory."""
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))


def conf_value(name: str, default: str = "") -> str:
    return f"{{{{ dag_run.conf.get('{name}', '{default}') }}}}"


def one_task_dag(dag_id: str, retries: int = 1, **settings: Any) -> DAG:
    """A DAG whose one task, `upload`, uploads in parts and keeps its checkpoint in a Variable."""
    defaults = {"retries": retries, "retry_delay": timedelta(0)}
    with DAG(dag_id=dag_id, schedule=None, default_args=defaults) as dag:
        ResumableUploadOperator(
            **{"task_id": "upload", "source": SOURCE, "bucket_name": BUCKET, "key": KEY, **PARTS, **settings}
        )
    return dag


SECRET, TOKEN = "a-secret-of-some-length", "CAISxGJ1q6Ft5B2yfSjIr5Ckt"


def say_what_is_secret(progress: object) -> None:
    """Do what no callback should: log the secrets of the connection."""
    log.warning("the secrets are <%s> and <%s>", SECRET, TOKEN)


def stop_myself(context: Any) -> None:
    """Receive a stop request before execute()."""
    os.kill(os.getpid(), signal.SIGTERM)


def shadow_the_variable(context: Any) -> None:
    """Set an environment variable that Airflow reads in place of the checkpoint."""
    ti = context["ti"]
    key = TaskIdentity(ti.dag_id, ti.run_id, ti.task_id).store_key()
    os.environ[f"AIRFLOW_VAR_{key.upper()}"] = "not a checkpoint"


from_conf = one_task_dag(
    "upload_from_conf",
    **dict[str, Any]((name, conf_value(name)) for name in FROM_CONF.split()),
    durable=conf_value("durable", "True"),
    replace=conf_value("replace", "True"),
    metadata={"owner": conf_value("owner", "nobody")},
    tags={"owner": conf_value("owner", "nobody")},
    oss_conn_id=conf_value("oss_conn_id", "oss_default"),
)


def produced(context: Any, jinja_env: Any) -> Iterator[bytes]:
    """Read the file that the configuration names as if it were produced meanwhile."""
    with open(context["dag_run"].conf["source"], "rb") as file:
        while block := file.read(100_000):
            yield block


streamed = one_task_dag("upload_streamed", source=produced)
once = one_task_dag("upload_once", retries=0)
discarded = one_task_dag("upload_discarded", retries=0, delete_upload_on_kill=True)
in_time = one_task_dag("upload_in_time", execution_timeout=timedelta(seconds=3))
stopped_early = one_task_dag("upload_stopped_early", retries=0, pre_execute=stop_myself)
shadowed = one_task_dag("upload_shadowed", pre_execute=shadow_the_variable)
talkative = one_task_dag("upload_talkative", oss_conn_id="oss_sts", progress_callback=say_what_is_secret)
default_bucket = one_task_dag("upload_default_bucket", bucket_name=None, part_size=None, multipart_threshold=None)

# Names in which Airflow sees a secret, as long as it takes them.
wild = one_task_dag("token_refresh", task_id=f"secret.password_{'t' * 234}")

FILES = {"manifest_key": conf_value("manifest_key"), "if_exists": conf_value("if_exists")}
many = one_task_dag("upload_many", if_empty="skip", **dict[str, Any](FILES))
listed = one_task_dag("upload_listed", source=[SOURCE + "/a.csv", SOURCE + "/deep/*.csv"], success_object=True)

with DAG(dag_id="upload_mapped", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}) as mapped:
    ResumableUploadOperator.partial(task_id="upload", source=SOURCE, bucket_name=BUCKET, **PARTS).expand(
        key=[KEY + "/0", KEY + "/1"]
    )


with DAG(dag_id="upload_found", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}) as found:
    # The sources are what an upstream task returns.
    ResumableUploadOperator.partial(task_id="upload", bucket_name=BUCKET, key=KEY, **PARTS).expand(
        source=sorted_files(SOURCE)
    )


@task(retries=0)
def urls_of(urls: Any) -> Any:
    """Return URLs as an upstream task finds them."""
    return urls


with DAG("upload_found_urls", schedule=None, render_template_as_native_obj=True) as found_urls:
    ResumableUploadOperator.partial(task_id="upload", bucket_name=BUCKET, key=KEY, **PARTS).expand(
        source=urls_of("{{ dag_run.conf['urls'] }}")
    )


def tell_the_configuration(progress: object) -> None:
    """Do what no callback should: log a URL with its secrets; logs of a real task pass this filter of Airflow."""
    from airflow.providers.common.compat.sdk import get_current_context

    masker = import_module("airflow.sdk.log" if AIRFLOW_3 else "airflow.utils.log.secrets_masker")
    log.warning("the configuration is %s", masker.redact(get_current_context()["dag_run"].conf))


urls_told = one_task_dag(
    "upload_urls_told", source="{{ dag_run.conf['urls'] }}", progress_callback=tell_the_configuration
)
