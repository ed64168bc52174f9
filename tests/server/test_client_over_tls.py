"""The client over TLS: what holds without it, and what only TLS has."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import AccessDeniedError, TransportError
from airflow_provider_oss_resume.oss import NetworkSettings, OSSClient, RetryPolicy
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.fakes import BlockBody
from tests.server.conftest import BUCKET, IMPATIENT, ClientFactory
from tests.server.proxy import ForwardProxy
from tests.server.tcp import OK, Authority, TCPServer, TLSPeer, answering, pump, read_head
from tests.server.test_client_wire import BIG, BODIES, TWICE, Stalled, assert_cancelled, denied, ok, start


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    made = Stalled()
    yield made
    made.released.set()


@pytest.fixture
def client_of(authority: Authority, make_client: ClientFactory) -> Callable[..., OSSClient]:
    def make(server: TCPServer, retry: RetryPolicy | None = None, **timeouts: Any) -> OSSClient:
        settings = NetworkSettings(verify=str(authority.bundle), **timeouts)
        return make_client(f"https://127.0.0.1:{server.port}", network=settings, retry=retry or IMPATIENT)

    return make


@pytest.mark.parametrize("body", BODIES)
def test_a_server_that_takes_no_more_bytes(
    authority: Authority,
    client_of: Callable[..., OSSClient],
    stalled: Stalled,
    body: Callable[[], bytes | BlockBody],
) -> None:
    with authority.server(stalled.before_the_body) as server:
        client = client_of(server, TWICE, connect_timeout=60.0, send_timeout=0.2)
        thread, failures = start(lambda: client.upload_part(BUCKET, "k", "id", 1, body()))
        thread.join(20)
        stalled.released.set()
    assert [type(error) for error in failures] == [TransportError]
    assert "timed out" in str(failures[0])


def test_a_server_that_never_answers(
    authority: Authority, client_of: Callable[..., OSSClient], stalled: Stalled
) -> None:
    with authority.server(stalled.after_the_body) as server:
        with pytest.raises(TransportError, match="timed out"):
            client_of(server, TWICE, read_timeout=0.2).upload_part(BUCKET, "k", "id", 1, b"x")
        stalled.released.set()


def test_a_server_that_is_silent_from_the_beginning(client_of: Callable[..., OSSClient], stalled: Stalled) -> None:
    with TCPServer(stalled.from_the_beginning) as server:
        with pytest.raises(TransportError, match="timed out"):
            client_of(server, TWICE, connect_timeout=0.2).upload_part(BUCKET, "k", "id", 1, b"x")
        stalled.released.set()


def test_a_server_that_stops_in_the_reply(
    authority: Authority, client_of: Callable[..., OSSClient], stalled: Stalled
) -> None:
    with authority.server(stalled.in_the_reply) as server:
        client = client_of(server, read_timeout=0.2)
        with (
            client.get_object(BUCKET, "k") as (_, blocks),
            pytest.raises(TransportError, match=r"the reply was cut: TimeoutError: .*timed out"),
        ):
            b"".join(blocks)
        stalled.released.set()


@pytest.mark.parametrize("body", BODIES)
def test_a_refusal_while_the_body_is_being_sent(
    authority: Authority, client_of: Callable[..., OSSClient], body: Callable[[], bytes | BlockBody]
) -> None:
    def converse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(denied())

    with authority.server(converse) as server:
        with pytest.raises(AccessDeniedError) as caught:
            client_of(server).upload_part(BUCKET, "k", "id", 1, body())
        assert caught.value.request_id == "5C3D"
        assert server.connections == 1


def test_a_refusal_through_a_tunnel_while_the_body_is_being_sent(
    authority: Authority, make_client: ClientFactory
) -> None:
    def converse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(denied())

    with authority.server(converse) as server, ForwardProxy(server.port) as proxy:
        network = NetworkSettings(verify=str(authority.bundle), proxies={"https": proxy.url})
        client = make_client(f"https://127.0.0.1:{server.port}", network=network, retry=TWICE)
        with pytest.raises(AccessDeniedError):
            client.upload_part(BUCKET, "k", "id", 1, BlockBody(BIG))


def test_a_cancel_while_the_reply_is_waited_for(
    authority: Authority, client_of: Callable[..., OSSClient], stalled: Stalled
) -> None:
    with authority.server(stalled.after_the_body) as server:
        client = client_of(server)
        thread, failures = start(lambda: client.upload_part(BUCKET, "k", "id", 1, b"x"))
        assert stalled.reached.wait(10)
        assert_cancelled(client, thread, failures)
        stalled.released.set()


def test_a_cancel_while_an_object_is_being_read(
    authority: Authority, client_of: Callable[..., OSSClient], stalled: Stalled
) -> None:
    def read(client: OSSClient) -> None:
        with client.get_object(BUCKET, "k") as (_, blocks):
            b"".join(blocks)

    with authority.server(stalled.in_the_reply) as server:
        client = client_of(server)
        thread, failures = start(lambda: read(client))
        assert stalled.reached.wait(10)
        assert_cancelled(client, thread, failures)
        stalled.released.set()


def test_one_connection_serves_request_after_request(authority: Authority, client_of: Callable[..., OSSClient]) -> None:
    with authority.server(answering(OK, ok(b"abc"), OK)) as server:
        client = client_of(server)
        client.delete_object(BUCKET, "k")
        with client.get_object(BUCKET, "k") as (_, blocks):
            assert b"".join(blocks) == b"abc"
        client.delete_object(BUCKET, "k")
        assert server.connections == 1


def test_one_that_holds_an_unread_record_is_dropped(authority: Authority, client_of: Callable[..., OSSClient]) -> None:
    """Some servers end an idle connection with 408, which must not be taken for the reply to the next request."""

    def converse(connection: socket.socket) -> None:
        peer = TLSPeer(connection, authority.server_context())
        peer.call(peer.tls.do_handshake)
        while b"\r\n\r\n" not in peer.call(peer.tls.read, 65536):
            pass
        peer.write(OK)
        peer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        peer.flush()
        connection.recv(1)

    with TCPServer(converse) as server:
        client = client_of(server, TWICE)
        for number in (1, 2, 3):
            client.delete_object(BUCKET, "k")
            assert server.connections == number


def test_a_reply_outlives_its_connection(authority: Authority, client_of: Callable[..., OSSClient]) -> None:
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG
    with (
        authority.server(answering(reply)) as server,
        client_of(server).get_object(BUCKET, "k") as (_, blocks),
    ):
        assert crc64(b"".join(blocks)) == crc64(BIG)


@pytest.mark.parametrize("says_so", [True, False], ids=["close_notify", "no close_notify"])
def test_a_cut_download_is_an_error(authority: Authority, client_of: Callable[..., OSSClient], says_so: bool) -> None:
    def converse(connection: ssl.SSLSocket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        if says_so:
            connection.unwrap()  # waits for the client to go

    with (
        authority.server(converse) as server,
        client_of(server).get_object(BUCKET, "k") as (_, blocks),
        pytest.raises(TransportError, match=f"GetObject {BUCKET}/k failed: the reply was cut"),
    ):
        b"".join(blocks)


def test_a_record_that_is_damaged_on_the_way_costs_a_connection(
    server: DevServer, authority: Authority, client_of: Callable[..., OSSClient], key: str
) -> None:
    """The server ends the connection by an alert while the body is being sent."""
    with authority.in_front_of(server.port) as front:

        def converse(connection: socket.socket) -> None:
            with socket.create_connection(("127.0.0.1", front.port)) as inside:
                back = threading.Thread(target=pump, args=(inside, connection), daemon=True)
                back.start()
                if way.connections == 1:
                    passed = 0
                    while passed < 1 << 20 and (block := connection.recv(65536)):
                        inside.sendall(block)
                        passed += len(block)
                    inside.sendall(bytes(100))
                pump(connection, inside)
                back.join(10)

        with TCPServer(converse) as way:
            client = client_of(way, TWICE)
            assert client.put_object(BUCKET, key, BlockBody(BIG)).crc64 == crc64(BIG)
            assert way.connections == 2
            client.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="only openssl knows the names of the files")
def test_a_folder_of_certificates(tmp_path: Path, authority: Authority, make_client: ClientFactory) -> None:
    shown = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(authority.bundle)], capture_output=True, check=True
    )
    (tmp_path / f"{shown.stdout.decode().strip()}.0").write_bytes(authority.bundle.read_bytes())
    with authority.server(answering(OK)) as server:
        network = NetworkSettings(verify=str(tmp_path))
        make_client(f"https://127.0.0.1:{server.port}", network=network).delete_object(BUCKET, "k")
