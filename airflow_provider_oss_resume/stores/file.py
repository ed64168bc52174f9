"""Public name of :mod:`airflow_provider_oss_resume.checkpoint.file_store`."""

from airflow_provider_oss_resume.checkpoint.file_store import FileStore, FileStoreDirectory

__all__ = ["FileStore", "FileStoreDirectory"]
