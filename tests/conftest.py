"""What must be true before the first test module is imported.

Airflow reads its settings when it is imported for the first time, and the client libraries read proxies and
credentials when they are used: so the environment is cleaned here, while pytest has imported nothing else.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import tempfile
from pathlib import Path

_FOREIGN = (
    *("AIRFLOW_", "_AIRFLOW_", "ALIBABA_CLOUD_", "OSS_"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
)


def _clean_environment() -> None:
    for name in list(os.environ):
        if name.upper().startswith(_FOREIGN):
            del os.environ[name]


def _own_airflow_home() -> None:
    home = Path(tempfile.mkdtemp(prefix="airflow-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = str(home)
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/airflow.db"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent / "airflow" / "dags")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] = "1"  # how late a supervisor may notice an end


def _steady_hypothesis() -> None:
    from hypothesis import settings

    # A shared machine stalls now and then: a deadline would call that a bug. In CI the same examples every time.
    settings.register_profile("steady", deadline=None, derandomize="CI" in os.environ, print_blob=True)
    settings.load_profile("steady")


def pytest_configure() -> None:
    """Let a polite kill, as by `timeout`, end the session's servers too: Python's default is to drop everything."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


_clean_environment()
_own_airflow_home()
if importlib.util.find_spec("hypothesis"):  # the Airflow 2 environment has only what its tests need
    _steady_hypothesis()
