"""`make demo` and its two variants: run one, then stop every process, even after an error."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys

from demo.cluster_story import ClusterDemo
from demo.export_story import ExportDemo
from demo.services import ServiceDiedError
from demo.stack import REPOSITORY
from demo.story import Demo, DemoFailedError

FOLDER = REPOSITORY / ".demo"


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Airflow and the local OSS running at the end")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--cluster", action="store_true", help="two Celery workers, Redis and PostgreSQL")
    which.add_argument("--export", action="store_true", help="the result of a query instead of a file")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left running, and nothing else")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ClusterDemo(FOLDER).stop()  # knows all that either demo leaves
    shutil.rmtree(FOLDER, ignore_errors=True)
    if arguments.stop:
        return 0
    story = ClusterDemo if arguments.cluster else ExportDemo if arguments.export else Demo
    return play(story(FOLDER), keep=arguments.keep)


def play(demo: Demo, *, keep: bool) -> int:
    """Run the demo and clean up; logs are kept when it failed."""
    try:
        demo.play()
    except KeyboardInterrupt:
        demo.screen.text("stopped")
        return _end(demo, 130)
    except (DemoFailedError, ServiceDiedError, TimeoutError, RuntimeError) as error:
        demo.screen.event("failed", str(error), "red")
        return _end(demo, 1)
    if keep:
        demo.invite()
        return 0
    demo.screen.text(f"  Everything is stopped again; `make {demo.target} KEEP=1` leaves it up to look at.\n")
    return _end(demo, 0)


def _end(demo: Demo, code: int) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of the processes behind
    demo.stop()
    if code != 1:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
