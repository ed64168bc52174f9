"""Public name of :mod:`airflow_provider_oss_resume.checkpoint.memory_store`."""

from airflow_provider_oss_resume.checkpoint.memory_store import MemoryStore

__all__ = ["MemoryStore"]
