"""Several `airflow` commands in one interpreter: importing Airflow takes longer than most of them.

python -m demo.commands "db migrate" "dags reserialize" "dags trigger my_dag --run-id one"
python -m demo.commands -        # a command from each line of the standard input, followed by a line "ended: <code>"
"""

from __future__ import annotations

import shlex
import sys
import traceback

from airflow.cli import cli_parser


def main(lines: list[str]) -> None:
    """Run each line as if it followed `airflow` on a command line."""
    parser = cli_parser.get_parser()
    for line in lines:
        arguments = parser.parse_args(shlex.split(line))
        arguments.func(arguments)


def serve() -> None:
    """Run each line of the standard input, and continue after a command that fails."""
    for line in sys.stdin:
        code = 0
        try:
            main([line])
        except (Exception, SystemExit) as error:  # noqa: BLE001 - reported by the line below
            code = int(not isinstance(error, SystemExit) or bool(error.code))
            if code:
                traceback.print_exc()
        print(f"\nended: {code}", flush=True)


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["-"] else main(sys.argv[1:])
