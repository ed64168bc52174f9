"""Groups of tasks that belong together."""

from airflow_provider_oss_resume.task_groups.anchored import anchored_upload
from airflow_provider_oss_resume.task_groups.sharded import resumable_upload_group

__all__ = ["anchored_upload", "resumable_upload_group"]
