"""The OSS client. It depends neither on files nor on Airflow."""

from airflow_provider_oss_resume.oss.client import OSSClient
from airflow_provider_oss_resume.oss.credentials.credentials import (
    Credentials,
    CredentialsProvider,
    StaticCredentialsProvider,
)
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.oss.models import ListedObject, MultipartUpload, ObjectInfo, Part, StoredObject
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
