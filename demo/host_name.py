"""The host name that Airflow sees: each worker of the cluster has another one."""

from __future__ import annotations

import os
import socket

VARIABLE = "DEMO_HOST_NAME"


def host_name() -> str:
    """Return the name given in the environment, else that of the machine."""
    return os.environ.get(VARIABLE) or socket.gethostname()
