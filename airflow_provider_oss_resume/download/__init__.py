"""One resumable download; no Airflow."""

from airflow_provider_oss_resume.download.download_request import DownloadRequest, DownloadResult
from airflow_provider_oss_resume.download.downloader import Downloader
from airflow_provider_oss_resume.download.remote_target import RemoteTarget

__all__ = ["DownloadRequest", "DownloadResult", "Downloader", "RemoteTarget"]
