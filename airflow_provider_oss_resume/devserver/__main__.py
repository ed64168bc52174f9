"""``python -m airflow_provider_oss_resume.devserver``: run a local OSS."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_oss_resume.devserver import arguments
from airflow_provider_oss_resume.devserver.faults import FaultPlan, load_rules
from airflow_provider_oss_resume.devserver.settings import Settings
from airflow_provider_oss_resume.devserver.storage import RootInUse


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server until it is interrupted."""
    given = _parser().parse_args(argv)
    try:
        from airflow_provider_oss_resume.devserver.runner import (
            KNOWN_OPERATIONS,
            DevHTTPServer,
            create_buckets,
            listen,
        )
    except ImportError as error:
        print(f"{error}; install airflow-provider-oss-resume[devserver]", file=sys.stderr)
        return 1
    settings = _settings(given)
    try:
        plan = FaultPlan(load_rules(given.faults) if given.faults else (), KNOWN_OPERATIONS)
        server = DevHTTPServer(settings, plan, listen(given.host, given.port))
    except (OSError, ValueError, RootInUse) as error:
        print(f"the dev server cannot start: {error}", file=sys.stderr)
        return 1
    create_buckets(server.storage, settings, given.bucket)
    if given.stop_with_stdin:
        server.stop_with_stdin()
    server.serve_until_told()
    _report_unfired(plan)
    return 0 if server.started else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m airflow_provider_oss_resume.devserver", description=_DESCRIPTION)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=arguments.port, default=9000, help="port, 0 for any free one (default: %(default)s)")
    add("--root", type=Path, default=Path("oss-dev-server"), help="directory of all data (default: %(default)s)")
    add("--access-key-id", type=arguments.key_id, default=os.environ.get("OSS_DEV_ACCESS_KEY_ID", "test-id"))
    add(
        "--access-key-secret", type=arguments.secret, default=os.environ.get("OSS_DEV_ACCESS_KEY_SECRET", "test-secret")
    )
    add("--security-token", action="append", default=[], metavar="TOKEN", help="STS token to accept; repeatable")
    add(
        "--region",
        type=arguments.region,
        default="cn-hangzhou",
        help="region that V4 signatures must name (default: %(default)s)",
    )
    add("--bucket", action="append", default=[], metavar="NAME", type=arguments.bucket, help="create it; repeatable")
    add("--faults", type=Path, metavar="FILE", help="JSON file of planned faults")
    add(
        "--clock-offset",
        type=arguments.offset,
        default=0.0,
        metavar="SECONDS",
        help="run the server's clock ahead by this",
    )
    add("--stop-with-stdin", action="store_true", help="stop when standard input is closed")
    return parser


_DESCRIPTION = "A local Alibaba Cloud OSS for development and tests, strict where the real one is strict."


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        root=given.root.absolute(),
        access_key_id=given.access_key_id,
        access_key_secret=given.access_key_secret,
        region=given.region,
        security_tokens=frozenset(given.security_token),
        clock_offset=given.clock_offset,
    )


def _report_unfired(plan: FaultPlan) -> None:
    for fault in plan.faults:
        if not fault.is_spent:
            print(f"planned fault did not fire ({fault.fired} times): {fault.rule}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
