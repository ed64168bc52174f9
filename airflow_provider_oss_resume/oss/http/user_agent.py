"""The ``User-Agent`` header of every request."""

from __future__ import annotations

import platform

from airflow_provider_oss_resume.version import __version__

USER_AGENT = f"airflow-provider-oss-resume/{__version__} Python/{platform.python_version()}"
