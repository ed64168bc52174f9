"""OSS on the wire; no files, no Airflow."""

from airflow_provider_oss_resume.oss.client import OSSClient
from airflow_provider_oss_resume.oss.credentials import Credentials, CredentialsProvider, StaticCredentialsProvider
from airflow_provider_oss_resume.oss.models import ListedObject, MultipartUpload, ObjectInfo, Part, StoredObject
from airflow_provider_oss_resume.oss.network import NetworkSettings
from airflow_provider_oss_resume.oss.retry import RetryPolicy

__all__ = [
    "Credentials",
    "CredentialsProvider",
    "ListedObject",
    "MultipartUpload",
    "NetworkSettings",
    "OSSClient",
    "ObjectInfo",
    "Part",
    "RetryPolicy",
    "StaticCredentialsProvider",
    "StoredObject",
]
