"""ossfs and this package together: each keeps what is its own, whichever is imported first.

`make install` puts ossfs into a folder of its own, because all other tests run without it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from demo.stack import REPOSITORY
from demo.versions import AIRFLOW_3

OSSFS = REPOSITORY / ".venvs" / "ossfs"
PATH = "import upath.registry; print(upath.registry.get_upath_class('oss').__name__); "
PATH += "from airflow.sdk import ObjectStoragePath as P; path = P('oss://conn@bucket/a/b'); "
PATH += "print(path.bucket, path.key, path / 'c', path.parent, type(path.fs).__module__); "
FSSPEC = "import fsspec; print(fsspec.get_filesystem_class('oss').__module__); "
OURS = "OSSPath\nbucket a/b oss://conn@bucket/a/b/c oss://conn@bucket/a airflow_provider_oss_resume.filesystem.oss\n"

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="ossfs is installed beside the environment of Airflow 3")


def run(script: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(OSSFS)}
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (PATH + FSSPEC, OURS + "ossfs.core\n"),
        (FSSPEC + PATH, "ossfs.core\n" + OURS),
        ("import ossfs; " + PATH + FSSPEC, OURS + "ossfs.core\n"),
        ("import airflow_provider_oss_resume.filesystem.oss; " + FSSPEC + PATH, "ossfs.core\n" + OURS),
    ],
)
def test_both_installed(script: str, printed: str) -> None:
    assert run(script) == printed
