"""One resumable upload, without Airflow."""

from airflow_provider_oss_resume.checkpoint.record import Checkpoint, Owner
from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.checkpoint.writer import WritePolicy
from airflow_provider_oss_resume.control.cancel import Cancel
from airflow_provider_oss_resume.sources.layout import DEFAULT_MULTIPART_THRESHOLD
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.source import Fingerprint, OpenSource, Source
from airflow_provider_oss_resume.transfer.limits import TransferLimits
from airflow_provider_oss_resume.transfer.progress import Phase, Progress
from airflow_provider_oss_resume.upload.copy.copy_request import CopyRequest
from airflow_provider_oss_resume.upload.if_exists import IfExists
from airflow_provider_oss_resume.upload.object_options import ObjectOptions
from airflow_provider_oss_resume.upload.resume.stream_resume import HeldPart
from airflow_provider_oss_resume.upload.stream.stream_request import StreamRequest
from airflow_provider_oss_resume.upload.stream.stream_upload import StreamUpload
from airflow_provider_oss_resume.upload.upload_request import UploadRequest, UploadResult
from airflow_provider_oss_resume.upload.uploader import Uploader

__all__ = [
    "DEFAULT_MULTIPART_THRESHOLD",
    "Cancel",
    "Checkpoint",
    "CheckpointStore",
    "CopyRequest",
    "Fingerprint",
    "HeldPart",
    "IfExists",
    "LocalFile",
    "ObjectOptions",
    "OpenSource",
    "Owner",
    "Phase",
    "Progress",
    "Source",
    "StreamRequest",
    "StreamUpload",
    "TransferLimits",
    "UploadRequest",
    "UploadResult",
    "Uploader",
    "WritePolicy",
]
