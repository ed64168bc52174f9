"""A source whose client library is missing: simulated in a child process, where importing the library fails.

Where Airflow's provider itself is not installed (Google's, in both environments), its scheme is really unknown.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import sys
sys.modules[sys.argv[2]] = None  # importing it raises ModuleNotFoundError
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource
from airflow_provider_oss_resume.exceptions import ConfigurationError
try:
    ObjectStorageSource(sys.argv[1]).open()
except ConfigurationError as error:
    print("refused:", error)
"""


@pytest.mark.parametrize(
    ("url", "library", "package"),
    [
        ("s3://bucket/key", "s3fs", "apache-airflow-providers-amazon[s3fs]"),
        ("sftp://host/file", "sshfs", "apache-airflow-providers-sftp[sshfs]"),
        ("abfs://container/key", "adlfs", "apache-airflow-providers-microsoft-azure"),
        ("adl://container/key", "adlfs", "apache-airflow-providers-microsoft-azure"),
        ("gs://bucket/key", "gcsfs", "apache-airflow-providers-google"),
    ],
)
def test_the_error_names_the_package_of_a_blocked_library(url: str, library: str, package: str) -> None:
    command = [sys.executable, "-c", CHILD, url, library]
    child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert "refused: " in child.stdout, child.stderr
    assert f"source {url!r} needs a package that is missing" in child.stdout
    assert child.stdout.rstrip().endswith(f"install {package}")
