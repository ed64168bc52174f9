"""Resumable uploads of large files from Airflow to Alibaba Cloud OSS."""
