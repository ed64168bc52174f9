"""The class that fsspec takes for ``oss://`` URLs; an entry point of this package names it.

An entry point takes precedence over fsspec's own table, which names ossfs. Whoever installed ossfs
passes its arguments to fsspec, so ``oss://`` stays with it there. Airflow's ``ObjectStoragePath``
does not ask fsspec.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

_MODULE = "ossfs" if find_spec("ossfs") else "airflow_provider_oss_resume.filesystem.oss"

OSSFileSystem: Any = import_module(_MODULE).OSSFileSystem
