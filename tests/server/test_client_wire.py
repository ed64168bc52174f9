"""The client below HTTP: connections, timeouts, cancelling, TLS, and servers that are none."""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ClockSkewError,
    ConfigurationError,
    OSSResumeError,
    TransportError,
    UnknownHostError,
    UploadCancelled,
    WrongSchemeError,
)
from airflow_provider_oss_resume.oss import NetworkSettings, OSSClient, RetryPolicy
from airflow_provider_oss_resume.oss.crc64 import crc64
from tests.fakes import BlockBody
from tests.server.conftest import BUCKET, ClientFactory
from tests.server.tcp import OK, Authority, TCPServer, answering, read_head, read_request

BIG = bytes(range(256)) * 4 * 16384  # 16 MiB: more than the sockets between the two hold
TWICE = RetryPolicy(max_elapsed=0.0, base_delay=0.01)
"""One retry, whatever happens."""

BODIES = [pytest.param(lambda: BIG, id="bytes"), pytest.param(lambda: BlockBody(BIG), id="blocks")]


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def denied() -> bytes:
    body = b"<Error><Code>AccessDenied</Code><RequestId>5C3D</RequestId></Error>"
    return b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


def fail_to_resolve(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(code, "no name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


class TestConnections:
    def test_one_is_used_again_and_again(self, make_client: ClientFactory) -> None:
        with TCPServer(answering(*[OK] * 5)) as server:
            client = make_client(server.url)
            for number in range(1, 6):
                client.upload_part(BUCKET, "k", "id", number, b"x")
            assert server.connections == 1

    def test_one_that_the_server_closed_meanwhile_is_replaced(self, make_client: ClientFactory) -> None:
        with TCPServer(answering(OK)) as server:
            client = make_client(server.url)
            for number in range(1, 4):
                client.upload_part(BUCKET, "k", "id", number, b"x")
            assert server.connections >= 3

    def test_one_with_an_unread_rest_is_dropped(self, make_client: ClientFactory) -> None:
        def converse(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
            connection.recv(1)

        with TCPServer(converse) as server:
            client = make_client(server.url)
            for _ in range(2):
                with client.get_object(BUCKET, "k") as (info, _blocks):
                    assert info.size == 1000
            assert server.connections == 2

    def test_a_fork_has_its_own(self, make_client: ClientFactory) -> None:
        with TCPServer(answering(OK, OK)) as server:
            client = make_client(server.url)
            client.upload_part(BUCKET, "k", "id", 1, b"x")
            fork = client.fork()
            fork.upload_part(BUCKET, "k", "id", 2, b"x")
            fork.cancel()
            fork.close()
            client.upload_part(BUCKET, "k", "id", 3, b"x")
            assert server.connections == 2

    def test_nobody_listens(self, make_client: ClientFactory) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        client = make_client(f"http://127.0.0.1:{port}", retry=TWICE)
        said = rf"HeadObject {BUCKET}/k failed: HEAD to 127.0.0.1:{port} .*refused.*check the endpoint, the proxy and"
        with pytest.raises(TransportError, match=said):
            client.head_object(BUCKET, "k")

    @pytest.mark.parametrize(
        ("code", "kind"), [(socket.EAI_NONAME, UnknownHostError), (socket.EAI_AGAIN, TransportError)]
    )
    def test_a_host_that_does_not_exist(
        self, make_client: ClientFactory, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[TransportError]
    ) -> None:
        fail_to_resolve(monkeypatch, code)
        client = make_client("http://oss.invalid", retry=TWICE)
        said = f"HEAD to {BUCKET}.oss.invalid got no reply: .*check the endpoint, the proxy and the firewall"
        with pytest.raises(TransportError, match=said) as caught:
            client.head_object(BUCKET, "k")
        assert type(caught.value) is kind

    def test_a_host_that_has_answered_exists(self, make_client: ClientFactory, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name server that fails on a bad night may well say that there is no such name."""
        with TCPServer(answering(OK)) as server:
            client = make_client(server.url, retry=TWICE)
            client.delete_object(BUCKET, "k")
            fail_to_resolve(monkeypatch, socket.EAI_NONAME)
            with pytest.raises(TransportError, match="got no reply") as caught:
                client.delete_object(BUCKET, "k")
        assert type(caught.value) is TransportError


class TestRequests:
    def test_what_is_sent(self, make_client: ClientFactory) -> None:
        heads: list[bytes] = []

        def converse(connection: socket.socket) -> None:
            heads.append(read_request(connection))
            connection.sendall(OK)

        with TCPServer(converse) as server:
            client = make_client(server.url)
            client.put_object(BUCKET, "a b/+ü", b"xyz", {"x-oss-meta-owner": "ümit"})
            client.delete_object(BUCKET, "k")
        put, delete = heads
        assert put.startswith(f"PUT /{BUCKET}/a%20b/%2B%C3%BC HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n".encode())
        assert b"\r\nx-oss-meta-owner: \xc3\xbcmit\r\n" in put
        assert b"\r\nUser-Agent: airflow-provider-oss-resume/" in put
        assert b"\r\nContent-Length: 3" in put
        assert b"chunked" not in put
        assert b"Content-Length" not in delete

    @pytest.mark.parametrize("encoded", ["ümit".encode(), b"\xfcmit"], ids=["as OSS does", "as HTTP once meant it"])
    def test_what_headers_of_a_reply_say(self, make_client: ClientFactory, encoded: bytes) -> None:
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx-oss-meta-owner: " + encoded + b"\r\n\r\n"
        with TCPServer(answering(reply)) as server:
            assert make_client(server.url).head_object(BUCKET, "k").metadata == {"owner": "ümit"}


class TestEarlyReplies:
    @pytest.mark.parametrize("body", BODIES)
    def test_a_refusal_while_the_body_is_being_sent(
        self, make_client: ClientFactory, body: Callable[[], bytes | BlockBody]
    ) -> None:
        def converse(connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(denied())
            # Closed with bytes unread, which resets the connection under the sender.

        with TCPServer(converse) as server:
            client = make_client(server.url)
            with pytest.raises(AccessDeniedError) as caught:
                client.upload_part(BUCKET, "k", "id", 1, body())
            assert caught.value.request_id == "5C3D"
            assert server.connections == 1

    def test_a_refusal_by_a_server_that_reads_on(self, make_client: ClientFactory) -> None:
        def converse(connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(denied())
            while connection.recv(65536):
                pass

        with TCPServer(converse) as server, pytest.raises(AccessDeniedError):
            make_client(server.url).upload_part(BUCKET, "k", "id", 1, BlockBody(BIG))


NO_REPLIES = {
    "nothing": b"",
    "no HTTP": b"220 smtp.example.com ESMTP\r\n\r\n",
    "half a status": b"HTTP/1.1 2",
    "status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
    "length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\nETag: A\r\n\r\n<xml/>",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "absurd length": b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999999999999999\r\n\r\nxx",
    "cut body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<ListPartsResult>",
    "cut error": b"HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\n<Error>",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "broken gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n<html>Log in!</html>\r\n",
    "no body": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


class TestServersThatAreNone:
    @pytest.mark.parametrize("reply", NO_REPLIES.values(), ids=NO_REPLIES)
    def test_are_a_fault_of_the_transport(self, make_client: ClientFactory, reply: bytes) -> None:
        requests: list[bytes] = []

        def converse(connection: socket.socket) -> None:
            requests.append(read_request(connection))  # fails for a look whether the port speaks TLS
            connection.sendall(reply)

        with TCPServer(converse) as server:
            client = make_client(server.url, retry=TWICE)
            with pytest.raises(TransportError, match=f"ListParts {BUCKET}/k, upload id failed: ") as caught:
                list(client.list_parts(BUCKET, "k", "id"))
            assert len(requests) == 2
            assert type(caught.value) is TransportError

    def test_a_page_that_repeats_itself(self, make_client: ClientFactory) -> None:
        page = b"<IsTruncated>true</IsTruncated><NextPartNumberMarker>5</NextPartNumberMarker>"
        reply = ok(b"<ListPartsResult>" + page + b"</ListPartsResult>")
        with TCPServer(answering(reply, reply)) as server, pytest.raises(TransportError, match="same page twice, at 5"):
            list(make_client(server.url).list_parts(BUCKET, "k", "id"))

    def test_a_skew_of_a_server_that_does_not_tell_its_time(self, make_client: ClientFactory) -> None:
        body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"
        reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        with TCPServer(answering(reply)) as server:
            with pytest.raises(ClockSkewError):
                make_client(server.url).delete_object(BUCKET, "k")
            assert server.connections == 1

    def test_a_cut_download_is_an_error(self, make_client: ClientFactory) -> None:
        with (
            TCPServer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)) as server,
            make_client(server.url).get_object(BUCKET, "k") as (_, blocks),
            pytest.raises(TransportError, match=f"GetObject {BUCKET}/k failed: the reply was cut"),
        ):
            b"".join(blocks)

    def test_a_range_that_a_proxy_ignores(self, make_client: ClientFactory) -> None:
        with (
            TCPServer(answering(ok(b"abc"))) as server,
            pytest.raises(TransportError, match="the reply has the whole object instead of the range"),
            make_client(server.url).get_object(BUCKET, "k", (1, 1)),
        ):
            pass

    def test_signed_urls_stay_out_of_errors_and_logs(
        self, make_client: ClientFactory, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "airflow_provider_oss_resume")
        with TCPServer(answering(b"")) as server:
            client = make_client(server.url, retry=TWICE)
            with pytest.raises(TransportError) as caught:
                client.head_object(BUCKET, "k")
        assert "ignature" not in f"{caught.value}{caplog.text}"
        assert "test-secret" not in f"{caught.value}{caplog.text}"


class Stalled:
    """A server that takes what the sockets hold and no more, and never answers."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def from_the_beginning(self, _connection: socket.socket) -> None:
        self.released.wait(60)

    def before_the_body(self, connection: socket.socket) -> None:
        read_head(connection)
        self.reached.set()
        self.released.wait(60)

    def after_the_body(self, connection: socket.socket) -> None:
        read_request(connection)
        self.reached.set()
        self.released.wait(60)

    def in_the_reply(self, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        self.reached.set()
        self.released.wait(60)


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    made = Stalled()
    yield made
    made.released.set()


def start(call: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """Run a call that will fail in a thread."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, failures


class TestTimeouts:
    @pytest.mark.parametrize("body", BODIES)
    def test_a_server_that_takes_no_more_bytes(
        self, make_client: ClientFactory, stalled: Stalled, body: Callable[[], bytes | BlockBody]
    ) -> None:
        with TCPServer(stalled.before_the_body) as server:
            network = NetworkSettings(connect_timeout=60.0, send_timeout=0.2)  # urllib3 sends under the former
            client = make_client(server.url, network=network, retry=TWICE)
            thread, failures = start(lambda: client.upload_part(BUCKET, "k", "id", 1, body()))
            thread.join(20)
            stalled.released.set()
        assert [type(error) for error in failures] == [TransportError]
        assert "part 1, upload id failed: PUT to 127.0.0.1:" in str(failures[0])
        assert "timed out" in str(failures[0])

    def test_a_server_that_never_answers(self, make_client: ClientFactory, stalled: Stalled) -> None:
        with TCPServer(stalled.after_the_body) as server:
            client = make_client(server.url, network=NetworkSettings(read_timeout=0.2), retry=TWICE)
            with pytest.raises(TransportError, match="timed out"):
                client.upload_part(BUCKET, "k", "id", 1, b"x")
            stalled.released.set()

    @pytest.mark.parametrize("body", BODIES)
    def test_a_slow_part_may_take_longer_than_any_of_its_blocks(
        self, server: DevServer, make_client: ClientFactory, key: str, body: Callable[[], bytes | BlockBody]
    ) -> None:
        client = make_client(server.url, network=NetworkSettings(send_timeout=0.5))
        server.plan(FaultRule(FaultKind.THROTTLE, "PutObject", bytes_per_second=16 << 20))
        client.put_object(BUCKET, key, body())
        [record] = server.requests("PutObject")
        assert record.status == 200


def assert_cancelled(client: OSSClient, thread: threading.Thread, failures: list[BaseException]) -> None:
    client.cancel()
    thread.join(5)  # far below every timeout of the client
    assert not thread.is_alive()
    assert [type(error) for error in failures] == [UploadCancelled]


class TestCancel:
    @pytest.mark.parametrize("body", BODIES)
    def test_while_a_part_is_being_sent(
        self, make_client: ClientFactory, stalled: Stalled, body: Callable[[], bytes | BlockBody]
    ) -> None:
        with TCPServer(stalled.before_the_body) as server:
            client = make_client(server.url)
            thread, failures = start(lambda: client.upload_part(BUCKET, "k", "id", 1, body()))
            assert stalled.reached.wait(10)
            assert_cancelled(client, thread, failures)
            stalled.released.set()

    def test_while_the_reply_is_waited_for(self, make_client: ClientFactory, stalled: Stalled) -> None:
        with TCPServer(stalled.after_the_body) as server:
            client = make_client(server.url)
            thread, failures = start(lambda: client.complete_multipart_upload(BUCKET, "k", "id", []))
            assert stalled.reached.wait(10)
            assert_cancelled(client, thread, failures)
            stalled.released.set()

    def test_while_an_object_is_being_read(self, make_client: ClientFactory, stalled: Stalled) -> None:
        with TCPServer(stalled.in_the_reply) as server:
            client = make_client(server.url)

            def read() -> None:
                with client.get_object(BUCKET, "k") as (_, blocks):
                    b"".join(blocks)

            thread, failures = start(read)
            assert stalled.reached.wait(10)
            assert_cancelled(client, thread, failures)
            stalled.released.set()

    def test_while_a_retry_is_waited_for(self, make_client: ClientFactory, caplog: pytest.LogCaptureFixture) -> None:
        asked = threading.Event()

        def converse(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n")
            asked.set()

        with TCPServer(converse) as server:
            client = make_client(server.url, retry=RetryPolicy())
            thread, failures = start(lambda: client.upload_part(BUCKET, "k", "id", 1, b"x"))
            assert asked.wait(10)
            assert_cancelled(client, thread, failures)
            assert server.connections == 1

    def test_while_a_part_is_throttled_by_the_server(
        self, server: DevServer, make_client: ClientFactory, key: str
    ) -> None:
        client = make_client(server.url)
        server.plan(FaultRule(FaultKind.THROTTLE, "PutObject", bytes_per_second=100_000))
        under_way = threading.Event()

        def note(position: int) -> None:
            if position > 0:  # the head of the request leaves with the first block
                under_way.set()

        thread, failures = start(lambda: client.put_object(BUCKET, key, BlockBody(BIG, on_block=note)))
        assert under_way.wait(10)
        while server.unfired():
            time.sleep(0.01)
        assert_cancelled(client, thread, failures)

    def test_all_threads_at_once(self, make_client: ClientFactory, stalled: Stalled) -> None:
        with TCPServer(stalled.before_the_body) as server:
            client = make_client(server.url)
            started = [
                start(lambda number=number: client.upload_part(BUCKET, "k", "id", number, BlockBody(BIG)))  # type: ignore[misc]
                for number in range(1, 5)
            ]
            assert stalled.reached.wait(10)
            for thread, failures in started:
                assert_cancelled(client, thread, failures)
            stalled.released.set()

    def test_nothing_starts_afterwards(self, server: DevServer, client: OSSClient, key: str) -> None:
        client.cancel()
        with pytest.raises(UploadCancelled, match="the upload was cancelled"):
            client.put_object(BUCKET, key, b"x")
        with pytest.raises(UploadCancelled), client.get_object(BUCKET, key):
            pass
        assert server.requests() == []


class TestTLS:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path)

    @pytest.fixture
    def front(self, server: DevServer, authority: Authority) -> Iterator[str]:
        with authority.in_front_of(server.port) as front:
            yield f"https://127.0.0.1:{front.port}"

    def test_a_bundle_of_our_own(self, front: str, authority: Authority, make_client: ClientFactory, key: str) -> None:
        client = make_client(front, network=NetworkSettings(verify=str(authority.bundle)))
        assert client.put_object(BUCKET, key, BIG).crc64 == crc64(BIG)
        assert client.put_object(BUCKET, key, BlockBody(BIG)).crc64 == crc64(BIG)
        with client.get_object(BUCKET, key) as (_, blocks):
            assert b"".join(blocks) == BIG

    def test_a_bundle_of_the_environment(
        self,
        front: str,
        authority: Authority,
        make_client: ClientFactory,
        key: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
        make_client(front).delete_object(BUCKET, key)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/bundle.pem")
        with pytest.raises(ConfigurationError, match="no CA bundle at '/no/bundle"):
            make_client(front)

    def test_no_check_at_all(self, front: str, make_client: ClientFactory, key: str) -> None:
        client = make_client(front, network=NetworkSettings(verify=False))
        client.put_object(BUCKET, key, b"x")  # any warning of urllib3 would be an error here

    def test_a_certificate_that_nobody_vouches_for(
        self, front: str, server: DevServer, make_client: ClientFactory, key: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"certificate of 127.0.0.1:.* is not trusted .*set verify to"):
            make_client(front).put_object(BUCKET, key, b"x")
        assert server.requests() == []

    def test_https_to_a_port_that_speaks_http(self, server: DevServer, make_client: ClientFactory) -> None:
        client = make_client(server.url.replace("http:", "https:"), retry=TWICE)
        said = "got no reply: this port speaks http, not https; write the endpoint with http://, or correct its port"
        with pytest.raises(WrongSchemeError, match=said):
            client.head_object(BUCKET, "k")

    @pytest.mark.parametrize("method", ["head_object", "delete_object"])
    def test_http_to_a_port_that_speaks_https(self, front: str, make_client: ClientFactory, method: str) -> None:
        """OpenSSL closes such a connection without a reply; some other libraries send a TLS alert."""
        client = make_client(front.replace("https:", "http:"), retry=TWICE)
        said = "got no reply: this port speaks https, not http; write the endpoint with https://, or correct its port"
        with pytest.raises(WrongSchemeError, match=said):
            getattr(client, method)(BUCKET, "k")

    def test_http_to_a_port_that_answers_with_a_tls_alert(self, make_client: ClientFactory) -> None:
        with TCPServer(answering(b"\x15\x03\x01\x00\x02\x02\x46")) as server:
            client = make_client(server.url, retry=TWICE)
            with pytest.raises(WrongSchemeError, match="this port speaks https, not http"):
                client.head_object(BUCKET, "k")

    def test_a_port_that_has_replied_is_not_probed(self, make_client: ClientFactory) -> None:
        replies = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]

        def converse(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(replies.pop() if replies else b"")

        with TCPServer(converse) as server:
            client = make_client(server.url, retry=TWICE)
            client.delete_object(BUCKET, "k")
            with pytest.raises(TransportError) as caught:
                client.delete_object(BUCKET, "k")
            assert server.connections == 3
        assert type(caught.value) is TransportError

    def test_a_port_is_probed_once(self, make_client: ClientFactory) -> None:
        with TCPServer(answering(b"")) as server:
            client = make_client(server.url, retry=TWICE)
            for _ in range(3):
                with pytest.raises(TransportError):
                    client.delete_object(BUCKET, "k")
            assert server.connections == 3 * 2 + 1

    @pytest.mark.parametrize("body", BODIES)
    def test_a_cancel(
        self,
        authority: Authority,
        make_client: ClientFactory,
        stalled: Stalled,
        body: Callable[[], bytes | BlockBody],
    ) -> None:
        with TCPServer(stalled.before_the_body) as server, authority.in_front_of(server.port) as front:
            network = NetworkSettings(verify=str(authority.bundle))
            client = make_client(f"https://127.0.0.1:{front.port}", network=network)
            thread, failures = start(lambda: client.upload_part(BUCKET, "k", "id", 1, body()))
            assert stalled.reached.wait(10)
            assert_cancelled(client, thread, failures)
            stalled.released.set()


class TestProxies:
    @pytest.fixture
    def proxy(self) -> Iterator[str]:
        self.heads: list[bytes] = []

        def converse(connection: socket.socket) -> None:
            self.heads.append(read_request(connection))
            connection.sendall(OK)

        with TCPServer(converse) as server:
            yield server.url

    def test_requests_go_through_the_proxy(self, make_client: ClientFactory, proxy: str) -> None:
        network = NetworkSettings(proxies={"http": proxy})
        make_client("http://oss.invalid", network=network).delete_object(BUCKET, "a..b//c")
        assert self.heads[0].startswith(b"DELETE http://examplebucket.oss.invalid/a..b//c HTTP/1.1\r\n")

    def test_requests_go_through_the_proxy_of_the_environment(
        self, make_client: ClientFactory, proxy: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "direct.invalid")
        network = NetworkSettings(trust_env=True)
        make_client("http://oss.invalid", network=network).delete_object(BUCKET, "k")
        with pytest.raises(TransportError):
            make_client("http://direct.invalid", retry=TWICE, network=network).delete_object(BUCKET, "k")
        network = NetworkSettings(trust_env=True, proxies={})
        with pytest.raises(TransportError):
            make_client("http://oss.invalid", retry=TWICE, network=network).delete_object(BUCKET, "k")
        assert len(self.heads) == 1

    def test_no_proxy_stands_before_this_machine(
        self, make_client: ClientFactory, server: DevServer, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://oss.invalid")
        make_client(server.url, network=NetworkSettings(trust_env=True)).delete_object(BUCKET, key)

    @pytest.mark.parametrize("proxy", ["http://", "socks5://127.0.0.1:1"])
    def test_a_proxy_that_cannot_be(self, make_client: ClientFactory, proxy: str) -> None:
        client = make_client("http://oss.invalid", network=NetworkSettings(proxies={"http": proxy}))
        with pytest.raises(ConfigurationError, match="check the proxies"):
            client.head_object(BUCKET, "k")


def test_all_errors_are_ours(make_client: ClientFactory) -> None:
    """A server that answers any request with bytes of no meaning, again and again."""
    dice = random.Random(1)

    def converse(connection: socket.socket) -> None:
        read_request(connection)
        reply: Any = dice.randbytes(dice.randrange(200))
        connection.sendall(dice.choice([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]) + reply)

    with TCPServer(converse) as server:
        for _ in range(40):
            with pytest.raises(OSSResumeError):
                make_client(server.url, retry=TWICE).head_object(BUCKET, "k")
