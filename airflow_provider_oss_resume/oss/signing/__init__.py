"""Request signatures of OSS: V4 (default) and V1, in a header or in a presigned URL. Pure: the time is an argument."""

from airflow_provider_oss_resume.oss.http.percent_encoding import quote
from airflow_provider_oss_resume.oss.signing.request import SignableRequest, Signer
from airflow_provider_oss_resume.oss.signing.v1 import SignerV1
from airflow_provider_oss_resume.oss.signing.v4 import SignerV4

__all__ = ["SignableRequest", "Signer", "SignerV1", "SignerV4", "quote"]
