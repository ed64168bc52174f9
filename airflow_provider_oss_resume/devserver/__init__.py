"""A local Alibaba Cloud OSS for development and tests.

Run it with ``python -m airflow_provider_oss_resume.devserver``, or as a child process with
``DevServer``. The process that uses ``DevServer`` needs neither Starlette nor uvicorn.
"""

from airflow_provider_oss_resume.devserver.faults.plan import FaultKind, FaultMoment, FaultRule
from airflow_provider_oss_resume.devserver.http.request_log import RequestRecord
from airflow_provider_oss_resume.devserver.process import DevServer

__all__ = ["DevServer", "FaultKind", "FaultMoment", "FaultRule", "RequestRecord"]
