"""``python -m airflow_provider_oss_resume.devserver``: run a local OSS."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_oss_resume.devserver import command_arguments
from airflow_provider_oss_resume.devserver.faults.plan import FaultPlan, load_rules
from airflow_provider_oss_resume.devserver.server_settings import AcceptedKey, Behaviour, Settings
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
    server.serve_forever()
    _report_unfired(plan)
    return 0 if server.started else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m airflow_provider_oss_resume.devserver", description=_DESCRIPTION)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=command_arguments.port, default=9000, help="port, 0 for any free one (default: %(default)s)")
    add("--root", type=Path, default=Path("oss-dev-server"), help="directory of all data (default: %(default)s)")
    add("--stop-with-stdin", action="store_true", help="stop when standard input is closed")
    _add_account(parser)
    _add_behaviour(parser)
    return parser


def _add_account(parser: argparse.ArgumentParser) -> None:
    """Add the options about credentials, region and buckets."""
    add, from_environment = parser.add_argument, os.environ.get
    key_id = from_environment("OSS_DEV_ACCESS_KEY_ID", "test-id")
    secret = from_environment("OSS_DEV_ACCESS_KEY_SECRET", "test-secret")
    add("--access-key-id", type=command_arguments.key_id, default=key_id)
    add("--access-key-secret", type=command_arguments.secret, default=secret)
    add("--security-token", action="append", default=[], metavar="TOKEN", help="STS token to accept; repeatable")
    region_help = "region that V4 signatures must name (default: %(default)s)"
    add("--region", type=command_arguments.region, default="cn-hangzhou", help=region_help)
    bucket_help = "create it; repeatable"
    add("--bucket", type=command_arguments.bucket, action="append", default=[], metavar="NAME", help=bucket_help)


def _add_behaviour(parser: argparse.ArgumentParser) -> None:
    """Add the options that make the server answer otherwise."""
    add = parser.add_argument
    add("--faults", type=Path, metavar="FILE", help="JSON file of planned faults")
    clock_help = "seconds by which the server's clock is ahead"
    add("--clock-offset", type=command_arguments.offset, default=0.0, metavar="SECONDS", help=clock_help)
    endpoint_help = "reply PublicEndpointForbidden to data calls on this host name, * for every host; repeatable"
    add("--forbid-endpoint", action="append", default=[], metavar="HOST", help=endpoint_help)
    strict_help = "refuse parts without the encryption headers of their client-side encrypted upload"
    add("--strict-client-encryption", action="store_true", help=strict_help)
    crc_help = "keep no CRC-64 of parts made by UploadPartCopy"
    add("--no-crc-of-copied-parts", dest="copied_parts_have_crc", action="store_false", help=crc_help)


_DESCRIPTION = "A local Alibaba Cloud OSS for development and tests."


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        root=given.root.absolute(),
        key=AcceptedKey(given.access_key_id, given.access_key_secret, frozenset(given.security_token)),
        region=given.region,
        clock_offset=given.clock_offset,
        behaviour=Behaviour(tuple(given.forbid_endpoint), given.strict_client_encryption, given.copied_parts_have_crc),
    )


def _report_unfired(plan: FaultPlan) -> None:
    for fault in plan.faults:
        if not fault.is_exhausted:
            print(f"planned fault did not fire ({fault.fired} times): {fault.rule}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
