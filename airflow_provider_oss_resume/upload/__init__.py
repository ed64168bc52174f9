"""One resumable upload; no Airflow."""

from airflow_provider_oss_resume.upload.cancel import Cancel
from airflow_provider_oss_resume.upload.checkpoint import Checkpoint, Owner
from airflow_provider_oss_resume.upload.options import ObjectOptions
from airflow_provider_oss_resume.upload.planner import DEFAULT_MULTIPART_THRESHOLD
from airflow_provider_oss_resume.upload.progress import Phase, Progress
from airflow_provider_oss_resume.upload.recorder import WritePolicy
from airflow_provider_oss_resume.upload.request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.source import Fingerprint, LocalFile, OpenSource, Source
from airflow_provider_oss_resume.upload.store import CheckpointStore
from airflow_provider_oss_resume.upload.uploader import Uploader

__all__ = [
    "DEFAULT_MULTIPART_THRESHOLD",
    "Cancel",
    "Checkpoint",
    "CheckpointStore",
    "Fingerprint",
    "LocalFile",
    "ObjectOptions",
    "OpenSource",
    "Owner",
    "Phase",
    "Progress",
    "Source",
    "UploadRequest",
    "UploadResult",
    "Uploader",
    "WritePolicy",
]
