"""A local Alibaba Cloud OSS for development and tests.

Run it with ``python -m airflow_provider_oss_resume.devserver``, or as a child process with
``DevServer``, which needs neither Starlette nor uvicorn in the process that uses it.
"""

from airflow_provider_oss_resume.devserver.faults import FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.devserver.process import DevServer
from airflow_provider_oss_resume.devserver.requestlog import RequestRecord

__all__ = ["DevServer", "FaultKind", "FaultMoment", "FaultRule", "RequestRecord"]
