"""Find and abort uploads that nobody will complete; no Airflow."""

from airflow_provider_oss_resume.cleanup.stale_uploads import StaleUpload, abort_upload, find_stale_uploads

__all__ = ["StaleUpload", "abort_upload", "find_stale_uploads"]
