"""The server process: uvicorn around the application."""

from __future__ import annotations

import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Scope

from airflow_provider_oss_resume.devserver.app import DevApp
from airflow_provider_oss_resume.devserver.control import Control
from airflow_provider_oss_resume.devserver.faults import FaultPlan
from airflow_provider_oss_resume.devserver.operations.table import OPERATIONS
from airflow_provider_oss_resume.devserver.requestlog import RequestLog
from airflow_provider_oss_resume.devserver.service import ObjectService
from airflow_provider_oss_resume.devserver.settings import Settings
from airflow_provider_oss_resume.devserver.standins import OPERATIONS as STAND_IN_OPERATIONS
from airflow_provider_oss_resume.devserver.standins import StandIns
from airflow_provider_oss_resume.devserver.storage import Storage, open_storage
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord
from airflow_provider_oss_resume.devserver.tokens import TokenMint

KNOWN_OPERATIONS = frozenset((*OPERATIONS, *STAND_IN_OPERATIONS))

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


class DevHTTPServer(uvicorn.Server):
    """Run one dev server until it is told to stop."""

    def __init__(self, settings: Settings, plan: FaultPlan, listener: socket.socket) -> None:
        storage = open_storage(settings.root)
        self.plan = plan
        self._listener = listener
        log = RequestLog(settings.root / "requests.jsonl")
        self.storage = storage
        mint = TokenMint(settings.now)
        service = ObjectService(settings, storage, plan, log, self.cut, mint)
        control = Control(plan, log, mint, StandIns(settings, mint, plan, log).routes())
        super().__init__(
            uvicorn.Config(
                DevApp(service, control.app()),
                lifespan="off",
                access_log=False,
                log_level="warning",
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=2,
                timeout_keep_alive=60,  # seconds, as OSS; clients reuse connections over pauses
            )
        )

    def serve_until_told(self) -> None:
        """Serve on the listening socket."""
        self.run([self._listener])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; unlike uvicorn's own, come back from there to say what did not fire."""
        ours = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, before in ours.items():
                signal.signal(number, before)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and only then tell the address."""
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"OSS dev server: {self.url()}\n")
            sys.stdout.flush()

    def url(self) -> str:
        """Return the address that clients use."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def cut(self, scope: Scope) -> None:
        """Reset a request's TCP connection, as a dying peer or a firewall does."""
        client = tuple(scope["client"] or ())
        for connection in list(self.server_state.connections):
            transport = connection.transport
            peer = transport.get_extra_info("peername")
            if peer is not None and tuple(peer[:2]) == client:
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                transport.abort()

    def stop_with_stdin(self) -> None:
        """Stop when standard input ends, which is when the parent process is gone."""

        def wait() -> None:
            sys.stdin.buffer.read()
            self.should_exit = True

        threading.Thread(target=wait, daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """Take the port. This comes before the data directory: a port in use leaves none behind."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        return socket.create_server(address, family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot listen on {host!r}, port {port} ({reason}): give another --host or --port") from None


def create_buckets(storage: Storage, settings: Settings, names: Iterable[str]) -> None:
    """Create the buckets that do not exist yet."""
    for name in names:
        if storage.buckets.find(name) is None:
            storage.buckets.save(BucketRecord(name, settings.now().timestamp()))
