"""The base of stores that run in a process of their own and listen on a port."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from demo.stack import free_port

PATIENCE = 60.0
"""Seconds for an emulator to start."""


class Emulator:
    """A Python module that serves HTTP; up when the constructor returns.

    :param module: what ``python -m`` runs.
    :param options: its arguments; ``{port}`` in them is the port.
    :param log: what it prints.
    """

    def __init__(self, module: str, options: list[str], log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-W", "ignore", "-m", module, *(one.format(port=port) for one in options)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE
        while not _listens(port):
            if time.monotonic() > deadline:
                self.close()
                raise RuntimeError(f"{module} does not start: {log.read_text()[-500:]}")
            time.sleep(0.05)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))
