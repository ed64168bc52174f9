"""Objects as Python files, and copies of objects; no Airflow."""

from airflow_provider_oss_resume.object_io.copy import copy_object, join_objects
from airflow_provider_oss_resume.object_io.reader import open_reader, read_object
from airflow_provider_oss_resume.object_io.writer import ObjectWriter

__all__ = ["ObjectWriter", "copy_object", "join_objects", "open_reader", "read_object"]
