"""Many uploads by one call; no Airflow."""

from airflow_provider_oss_resume.batch.batch_request import BatchLimits, BatchOutput, BatchRequest
from airflow_provider_oss_resume.batch.batch_result import BatchCounts, BatchProgress, BatchResult
from airflow_provider_oss_resume.batch.batch_uploader import BatchUploader
from airflow_provider_oss_resume.batch.key_template import KeyTemplate

__all__ = [
    "BatchCounts",
    "BatchLimits",
    "BatchOutput",
    "BatchProgress",
    "BatchRequest",
    "BatchResult",
    "BatchUploader",
    "KeyTemplate",
]
