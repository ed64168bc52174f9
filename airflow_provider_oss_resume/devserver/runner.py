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
from airflow_provider_oss_resume.devserver.auth.fake_services import OPERATIONS as CREDENTIAL_OPERATIONS
from airflow_provider_oss_resume.devserver.auth.fake_services import FakeCredentialServices
from airflow_provider_oss_resume.devserver.auth.temporary_credentials import CredentialsIssuer
from airflow_provider_oss_resume.devserver.control import Control
from airflow_provider_oss_resume.devserver.faults.plan import FaultPlan
from airflow_provider_oss_resume.devserver.http.protocols import http_protocol
from airflow_provider_oss_resume.devserver.http.request_log import RequestLog
from airflow_provider_oss_resume.devserver.operations.table import OPERATIONS
from airflow_provider_oss_resume.devserver.server_settings import Settings
from airflow_provider_oss_resume.devserver.service import ObjectService
from airflow_provider_oss_resume.devserver.storage import Storage, open_storage
from airflow_provider_oss_resume.devserver.storage.records import BucketRecord

KNOWN_OPERATIONS = frozenset((*OPERATIONS, *CREDENTIAL_OPERATIONS))

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds


class DevHTTPServer(uvicorn.Server):
    """Run one dev server until a signal stops it."""

    def __init__(self, settings: Settings, plan: FaultPlan, listener: socket.socket) -> None:
        storage = open_storage(settings.root)
        self.plan = plan
        self._listener = listener
        log = RequestLog(settings.root / "requests.jsonl")
        self.storage = storage
        issuer = CredentialsIssuer(settings.now)
        service = ObjectService(settings, storage, plan, log, self.reset, issuer)
        control = Control(plan, log, issuer, FakeCredentialServices(settings, issuer, plan, log).routes())
        super().__init__(
            uvicorn.Config(
                DevApp(service, control.app()),
                http=http_protocol(),
                # DevApp reads the path, which the scope of a lifespan does not have.
                lifespan="off",
                access_log=False,
                log_level="warning",
                server_header=False,
                # The service sends its own, by the server's clock, which may be set wrong on purpose.
                date_header=False,
                # Below the 10 s after which DevServer.stop() kills: a client that holds a request open does not delay
                # the tests.
                timeout_graceful_shutdown=2,
                timeout_keep_alive=60,  # seconds, as OSS; clients reuse connections over pauses
            )
        )

    def serve_forever(self) -> None:
        """Serve on the listening socket."""
        self.run([self._listener])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM.

        Uvicorn's own version raises the signal again, which ends the process before it reports
        the faults that did not fire.
        """
        ours = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, before in ours.items():
                signal.signal(number, before)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the address."""
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"OSS dev server: {self.url()}\n")
            sys.stdout.flush()

    def url(self) -> str:
        """Return the URL that clients use."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def reset(self, scope: Scope) -> None:
        """Reset the TCP connection of a request, as a crashed peer or a firewall does."""
        # ASGI hands no connection to the application: it is found by the address of its other end.
        client = tuple(scope["client"] or ())
        for connection in list(self.server_state.connections):
            transport = connection.transport
            peer = transport.get_extra_info("peername")
            if peer is not None and tuple(peer[:2]) == client:
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                transport.abort()

    def stop_with_stdin(self) -> None:
        """Stop when standard input ends, that is, when the parent process has ended."""

        def wait() -> None:
            sys.stdin.buffer.read()
            self.should_exit = True

        # A daemon, because the read ends only with the parent process, and this one may be stopped before.
        threading.Thread(target=wait, daemon=True).start()


def listen(host: str, port: int) -> socket.socket:
    """Bind the port.

    The caller opens the data directory afterwards: a port in use leaves no directory behind.

    :raises OSError: the port is in use or the host has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        listener = socket.create_server(address, family=family)
        # Accepted connections inherit it. asyncio sets it only for sockets that name their protocol, and without it
        # the body of a small reply waits 40 ms for the acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"cannot listen on {host!r}, port {port} ({reason}): use another --host or --port") from None


def create_buckets(storage: Storage, settings: Settings, names: Iterable[str]) -> None:
    """Create the buckets that do not exist yet."""
    for name in names:
        if storage.buckets.find(name) is None:
            storage.buckets.save(BucketRecord(name, settings.now().timestamp()))
