"""The process of one contender: prepare, do the work, print time and memory.

Run as ``python -m benchmarks.child CONTENDER WORK``; ``name@8`` uses eight
threads instead of the work's number. Time and memory are measured from the end of the
imports to the end of the work. The parent measures the whole process as well.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, replace

from benchmarks import usage
from benchmarks.work import Work


def main() -> None:
    contender, text = sys.argv[1:]
    name, _, threads = contender.partition("@")
    work = Work.from_json(text)
    do = importlib.import_module(f"benchmarks.peers.{name}").prepare(
        replace(work, threads=int(threads)) if threads else work
    )
    start = usage.begin()
    reported = do()
    used = usage.since(start)
    print(json.dumps({**asdict(used), "reported": reported or {}}))


if __name__ == "__main__":
    main()
