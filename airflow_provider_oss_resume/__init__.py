"""Resumable uploads of large files from Airflow to Alibaba Cloud OSS.

The public names, each imported when it is first used: Airflow imports this package
for its provider info before it has read its own configuration, and a program
without Airflow must get ``Uploader`` without the hook.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_oss_resume.devserver import DevServer
    from airflow_provider_oss_resume.exceptions import OSSResumeError
    from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
    from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator
    from airflow_provider_oss_resume.oss import Credentials, OSSClient
    from airflow_provider_oss_resume.stores.file import FileStore
    from airflow_provider_oss_resume.upload import ObjectOptions, Uploader, UploadRequest, UploadResult
    from airflow_provider_oss_resume.version import __version__

__all__ = [
    "Credentials",
    "DevServer",
    "FileStore",
    "OSSClient",
    "OSSResumeError",
    "OSSResumeHook",
    "ObjectOptions",
    "ResumableUploadOperator",
    "UploadRequest",
    "UploadResult",
    "Uploader",
    "__version__",
]

_MODULES = {
    "Credentials": "oss",
    "DevServer": "devserver",
    "FileStore": "stores.file",
    "OSSClient": "oss",
    "OSSResumeError": "exceptions",
    "OSSResumeHook": "hooks.oss",
    "ObjectOptions": "upload",
    "ResumableUploadOperator": "operators.upload",
    "UploadRequest": "upload",
    "UploadResult": "upload",
    "Uploader": "upload",
    "__version__": "version",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
