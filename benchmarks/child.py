"""The process of one contender: prepare, do the work, print what it took.

Run as ``python -m benchmarks.child CONTENDER WORK``; ``name@8`` has eight
threads, whatever the work says. Time and memory count from after the imports
and until the work is done; the parent measures the whole process besides.
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
    told = do()
    used = usage.since(start)
    print(json.dumps({**asdict(used), "told": told or {}}))


if __name__ == "__main__":
    main()
