"""Several `airflow` commands in one interpreter: importing Airflow takes longer than most of them.

python -m demo.commands "db migrate" "dags reserialize" "dags trigger my_dag --run-id one"
"""

from __future__ import annotations

import shlex
import sys

from airflow.cli import cli_parser


def main(lines: list[str]) -> None:
    """Run each line as if it followed `airflow` on a command line."""
    parser = cli_parser.get_parser()
    for line in lines:
        arguments = parser.parse_args(shlex.split(line))
        arguments.func(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
