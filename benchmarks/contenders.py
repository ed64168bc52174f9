"""The contenders, and their command lines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from benchmarks.stage import PYTHON, REPOSITORY
from benchmarks.work import ACCESS_KEY_ID, ACCESS_KEY_SECRET, BUCKET, KEY, REGION, Work

FIXED = (16, 32, 64)
"""Fixed numbers of parts at once, to compare adaptive concurrency with."""

LABELS: Mapping[str, str] = {
    "ours": "this package",
    "ours_batch": "this package",
    "ours_small": "this package, one upload a file",
    "oss2_sdk": "oss2",
    "oss_v2_sdk": "alibabacloud-oss-v2",
    "ali_oss": "ali-oss",
    "go_v2": "Go SDK v2",
    "go_v1": "Go SDK v1",
    "ossutil": "ossutil",
    "bare": "bare loop",
    **{f"ours_fixed@{number}": f"{number} at once" for number in FIXED},
}

GO_PEERS = REPOSITORY / ".venvs" / "go-peers"
"""What ``make`` builds from ``peers/go`` where ``go`` is on PATH."""

_NODE_MODULES = REPOSITORY / "tests" / "conformance" / "sdk" / "node_modules"


_GO = ("go_v2", "go_v1")


def node_path() -> str:
    """Return where Node finds ali-oss."""
    return os.environ.get("NODE_PATH", str(_NODE_MODULES))


def available(contender: str) -> bool:
    """Return whether a contender that is not a Python package is installed."""
    if contender == "ali_oss":
        return shutil.which("node") is not None and os.path.isdir(os.path.join(node_path(), "ali-oss"))
    if contender in _GO:
        return GO_PEERS.exists()
    return contender != "ossutil" or shutil.which("ossutil") is not None


def command_of(contender: str, work: Work) -> list[str]:
    """Return the command line of a contender's process."""
    if contender == "ali_oss":
        return ["node", str(REPOSITORY / "benchmarks" / "peers" / "ali_oss.js"), work.to_json()]
    if contender in _GO:
        return [str(GO_PEERS), contender.removeprefix("go_"), work.to_json()]
    if contender == "ossutil":
        return _ossutil(work)
    return [*PYTHON, "benchmarks.child", contender, work.to_json()]


def environment_for(work: Work) -> dict[str, str]:
    """Return the environment of a contender's process."""
    trusted = {"SSL_CERT_FILE": work.certificate} if work.certificate else {}  # the Go SDKs have no option for it
    return {**os.environ, "AIRFLOW_HOME": work.scratch, "NODE_PATH": node_path(), **trusted}


def _ossutil(work: Work) -> list[str]:
    """Return the command line of ossutil 2."""
    options = {
        "endpoint": work.url,
        "region": REGION,
        "access-key-id": ACCESS_KEY_ID,
        "access-key-secret": ACCESS_KEY_SECRET,
        "addressing-style": "path",
        "part-size": str(work.part_size),
        "bigfile-threshold": "1",
        "parallel": str(work.threads),
        "checkpoint-dir": work.scratch,
    }
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    return ["ossutil", "cp", work.files[0], f"oss://{BUCKET}/{KEY}", "--force", *flags]
