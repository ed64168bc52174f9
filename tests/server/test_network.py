"""Endpoints of every kind, proxies, certificates, pools and names, as they are on the wire."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    OSSResumeError,
    TransportError,
    UnexpectedReplyError,
    WrongSchemeError,
)
from airflow_provider_oss_resume.oss import NetworkSettings, RetryPolicy
from airflow_provider_oss_resume.oss.credentials import CredentialSettings, make_provider
from airflow_provider_oss_resume.oss.http.connections import ConnectionRegistry
from airflow_provider_oss_resume.oss.http.transport import Transport
from airflow_provider_oss_resume.version import __version__
from tests.server.conftest import BUCKET, ClientFactory
from tests.server.proxy import ForwardProxy
from tests.server.tcp import Authority, TCPServer, answering, read_head
from tests.server.uploads import Scene, content

TWICE = RetryPolicy(max_elapsed=0.0, base_delay=0.01)


@pytest.fixture
def proxy(server: DevServer) -> Iterator[ForwardProxy]:
    with ForwardProxy(server.port) as made:
        yield made


@pytest.fixture
def guarded(server: DevServer) -> Iterator[ForwardProxy]:
    with ForwardProxy(server.port, "a-user:a-password") as made:
        yield made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class TestEndpoints:
    @pytest.mark.parametrize(
        ("endpoint", "style", "host"),
        [
            ("http://oss-cn-hangzhou.aliyuncs.com", "auto", f"{BUCKET}.oss-cn-hangzhou.aliyuncs.com"),
            ("http://oss-cn-hangzhou-internal.aliyuncs.com", "auto", f"{BUCKET}.oss-cn-hangzhou-internal.aliyuncs.com"),
            ("http://oss-accelerate.aliyuncs.com", "auto", f"{BUCKET}.oss-accelerate.aliyuncs.com"),
            ("http://oss-accelerate-overseas.aliyuncs.com", "auto", f"{BUCKET}.oss-accelerate-overseas.aliyuncs.com"),
            (
                "http://cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com",
                "auto",
                f"{BUCKET}.cn-hangzhou-j-internal.oss-data-acc.aliyuncs.com",
            ),
            ("http://cn-hangzhou.oss.aliyuncs.com", "auto", f"{BUCKET}.cn-hangzhou.oss.aliyuncs.com"),
            ("http://oss-cn-hangzhou.aliyuncs.com:8080", "virtual", f"{BUCKET}.oss-cn-hangzhou.aliyuncs.com:8080"),
            (f"http://{BUCKET}.example.com", "cname", f"{BUCKET}.example.com"),
            ("http://oss-cn-hangzhou.aliyuncs.com", "path", "oss-cn-hangzhou.aliyuncs.com"),
            ("http://192.0.2.7:9000", "auto", "192.0.2.7:9000"),
            ("http://[2001:db8::7]:9000", "auto", "[2001:db8::7]:9000"),
        ],
    )
    @pytest.mark.parametrize("version", ["v4", "v1"])
    def test_an_upload_goes_there_and_is_signed_for_it(
        self,
        scene: Scene,
        proxy: ForwardProxy,
        make_client: ClientFactory,
        endpoint: str,
        style: str,
        host: str,
        version: str,
    ) -> None:
        network = NetworkSettings(proxies={"http": proxy.url})
        client = make_client(endpoint, addressing_style=style, network=network, signature_version=version)
        scene = replace(scene, client=client)
        scene.file.write_bytes(content(102_401))
        scene.assert_done(scene.upload())
        assert set(proxy.targets) == {host}


class TestProxies:
    def test_a_whole_upload_with_a_password(
        self, scene: Scene, guarded: ForwardProxy, make_client: ClientFactory
    ) -> None:
        network = NetworkSettings(proxies={"http": guarded.url.replace("//", "//a-user:a-password@")})
        scene = replace(scene, client=make_client("http://oss-cn-hangzhou.aliyuncs.com", network=network))
        scene.assert_done(scene.upload(max_concurrency=4))
        assert "proxy-authorization" not in scene.headers("UploadPart")

    def test_a_tunnel_to_a_certificate_of_our_own(
        self, scene: Scene, authority: Authority, make_client: ClientFactory
    ) -> None:
        with authority.in_front_of(scene.server.port) as front, ForwardProxy(front.port, "a-user:a-password") as proxy:
            network = NetworkSettings(
                proxies={"https": proxy.url.replace("//", "//a-user:a-password@")}, verify=str(authority.bundle)
            )
            scene = replace(scene, client=make_client(f"https://localhost:{front.port}", network=network))
            scene.assert_done(scene.upload(max_concurrency=4))
            scene.client.close()
            assert set(proxy.targets) == {f"CONNECT localhost:{front.port}"}

    def test_a_tunnel_through_one_that_speaks_tls_itself(
        self, scene: Scene, authority: Authority, make_client: ClientFactory
    ) -> None:
        with (
            authority.in_front_of(scene.server.port) as front,
            ForwardProxy(front.port) as proxy,
            authority.in_front_of(proxy.port) as tls_proxy,
        ):
            network = NetworkSettings(
                proxies={"https": f"https://localhost:{tls_proxy.port}"}, verify=str(authority.bundle)
            )
            scene = replace(scene, client=make_client(f"https://localhost:{front.port}", network=network))
            scene.assert_done(scene.upload(max_concurrency=4))
            scene.client.close()
            assert set(proxy.targets) == {f"CONNECT localhost:{front.port}"}

    def test_a_cut_reaches_the_socket_beneath_two_layers_of_tls(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            opened, transport, connection = (
                ConnectionRegistry(1.0),
                Transport(NetworkSettings()),
                HTTPConnection("unused"),
            )
            connection.sock = SimpleNamespace(socket=ours)  # as urllib3's SSLTransport has it
            opened.set_owner(transport)
            opened.add(connection)
            opened.interrupt(transport)
            theirs.settimeout(1.0)
            assert theirs.recv(1) == b""

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_that_wants_a_password_says_so_and_nothing_of_a_wrong_one(
        self, guarded: ForwardProxy, make_client: ClientFactory, scheme: str
    ) -> None:
        network = NetworkSettings(proxies={scheme: guarded.url.replace("//", "//a-user:hidden@")})
        client = make_client(f"{scheme}://oss-cn-hangzhou.aliyuncs.com", network=network, retry=TWICE)
        with pytest.raises(UnexpectedReplyError, match=r"HTTP407.* The proxy requires a name and password") as caught:
            client.list_buckets()
        assert caught.value.permanent
        assert guarded.connections == 1  # not retried
        assert "hidden" not in str(caught.value)
        assert "hidden" not in repr(network)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("status", [403, 404, 451, 501, 503])
    def test_what_a_proxy_refuses_ends_alike_on_both_schemes(
        self, make_client: ClientFactory, scheme: str, status: int
    ) -> None:
        page = b"<html>Access to this site is blocked</html>"
        head = f"HTTP/1.1 {status} No\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n".encode()

        def refuse(connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(head + page)

        with TCPServer(refuse) as proxy:
            network = NetworkSettings(proxies={scheme: proxy.url})
            client = make_client(f"{scheme}://oss-cn-hangzhou.aliyuncs.com", network=network, retry=TWICE)
            with pytest.raises(OSSResumeError) as caught:
                client.put_object(BUCKET, "k", b"x")
        assert caught.value.permanent == (status != 503)
        assert proxy.connections == (2 if status == 503 else 1)
        assert "RAM policy" not in str(caught.value)
        if status != 503:
            assert "check proxy, proxies and trust_env of the connection" in str(caught.value)

    @pytest.mark.parametrize("said", [b"", b"<html>Welcome</html>"], ids=["silent", "talking"])
    def test_one_that_accepts_a_tunnel_and_makes_none_is_named(self, make_client: ClientFactory, said: bytes) -> None:
        def accept(connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + said)
            connection.recv(65_536)  # an unread ClientHello would turn the end into a reset

        with TCPServer(accept) as proxy:
            network = NetworkSettings(proxies={"https": proxy.url.replace("//", "//a-user:a-password@")})
            client = make_client("https://oss-cn-hangzhou.aliyuncs.com", network=network, retry=TWICE)
            with pytest.raises(TransportError, match=rf"the proxy 127\.0\.0\.1:{proxy.port} accepted the") as caught:
                client.list_buckets()
        assert "a-password" not in str(caught.value)

    def test_one_that_closes_is_named(self, make_client: ClientFactory) -> None:
        def close(connection: socket.socket) -> None:
            read_head(connection)

        with TCPServer(close) as proxy:
            network = NetworkSettings(proxies={"http": proxy.url.replace("//", "//a-user:a-password@")})
            client = make_client("http://oss-cn-hangzhou.aliyuncs.com", network=network, retry=TWICE)
            with pytest.raises(TransportError, match=rf"the proxy 127\.0\.0\.1:{proxy.port} failed: "):
                client.list_buckets()

    def test_https_to_a_proxy_that_speaks_http(self, server: DevServer, make_client: ClientFactory) -> None:
        network = NetworkSettings(proxies={"https": server.url.replace("http:", "https:")})
        client = make_client("https://oss-cn-hangzhou.aliyuncs.com", network=network, retry=TWICE)
        with pytest.raises(
            WrongSchemeError, match="the proxy speaks http, not https; write the proxy's URL with http://"
        ):
            client.list_buckets()

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_that_is_down_is_named_as_the_cause(self, make_client: ClientFactory, scheme: str) -> None:
        network = NetworkSettings(proxies={scheme: "http://a-user:a-password@127.0.0.1:1"})
        client = make_client(endpoint=f"{scheme}://oss.invalid", network=network, retry=RetryPolicy(max_elapsed=0))
        with pytest.raises(TransportError, match=r"the proxy 127\.0\.0\.1:1 failed: .*refused; check") as caught:
            client.head_object(BUCKET, "k")
        assert "a-password" not in str(caught.value)

    def test_the_login_page_of_a_network(self, make_client: ClientFactory) -> None:
        reply = (
            b"HTTP/1.1 302 Found\r\nLocation: https://portal.example/login?back=1\r\nContent-Length: 0\r\n"
            b"Connection: close\r\n\r\n"
        )
        with TCPServer(answering(reply)) as server:
            with pytest.raises(
                UnexpectedReplyError, match=r"redirected to https://portal\.example/login: if"
            ) as caught:
                make_client(server.url, retry=TWICE).put_object(BUCKET, "k", b"x")
            assert server.connections == 1
        assert caught.value.permanent

    def test_that_of_the_environment_is_used_when_asked_for_and_not_before(
        self, proxy: ForwardProxy, make_client: ClientFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", proxy.url)
        host = f"{BUCKET}.invalid"
        with pytest.raises(TransportError, match="got no reply"):
            make_client(f"http://{host}", addressing_style="cname", retry=TWICE).delete_object(BUCKET, "k")
        assert proxy.targets == []
        asked = NetworkSettings(trust_env=True)
        make_client(f"http://{host}", addressing_style="cname", network=asked).delete_object(BUCKET, "k")
        assert proxy.targets == [host]

    def test_sts_is_asked_through_that_of_the_environment_only_if_oss_is(
        self, server: DevServer, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", proxy.url)
        role = CredentialSettings(
            "ram_role_arn",
            access_key_id="test-id",
            access_key_secret="test-secret",
            role_arn="acs:ram::123456789012:role/uploader",
            sts_endpoint="http://sts.invalid",
        )
        with pytest.raises(TransportError, match="got no reply"):
            make_provider(role, environ={}).get_credentials()
        assert proxy.targets == []
        with pytest.raises(OSSResumeError):  # what answers there is OSS
            make_provider(role, NetworkSettings(trust_env=True), environ={}).get_credentials()
        assert proxy.targets == ["sts.invalid"]


class TestCertificates:
    @pytest.mark.parametrize("proxied", [False, True])
    def test_none_checked_is_warned_of_once(
        self,
        scene: Scene,
        authority: Authority,
        make_client: ClientFactory,
        caplog: pytest.LogCaptureFixture,
        proxied: bool,
    ) -> None:
        caplog.set_level(logging.WARNING)
        with authority.in_front_of(scene.server.port) as front, ForwardProxy(front.port) as proxy:
            network = NetworkSettings(verify=False, proxies={"https": proxy.url} if proxied else None)
            for _ in range(2):
                scene = replace(scene, client=make_client(f"https://localhost:{front.port}", network=network))
                scene.assert_done(scene.upload(max_concurrency=4))
                scene.client.close()
        [said] = [record.getMessage() for record in caplog.records if "not checked" in record.getMessage()]
        assert said.startswith(f"the TLS certificate of https://localhost:{front.port} is not checked: ")

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
    @pytest.mark.parametrize("trusted", [False, True])
    def test_that_of_the_environment_is_used_whether_or_not_its_proxies_are(
        self,
        scene: Scene,
        authority: Authority,
        make_client: ClientFactory,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        trusted: bool,
    ) -> None:
        network = NetworkSettings(trust_env=trusted)
        with authority.in_front_of(scene.server.port) as front:
            monkeypatch.setenv(name, str(authority.bundle))
            scene = replace(scene, client=make_client(f"https://localhost:{front.port}", network=network))
            scene.assert_done(scene.upload())
            scene.client.close()
            monkeypatch.setenv(name, "/no/bundle.pem")
            with pytest.raises(ConfigurationError, match=f"'/no/bundle.pem': set {name} to the path of a PEM file"):
                make_client(f"https://localhost:{front.port}", network=network)
            make_client(f"https://localhost:{front.port}", network=NetworkSettings(verify=str(authority.bundle)))

    def test_a_bundle_that_is_none(self, tmp_path: Path, make_client: ClientFactory) -> None:
        bundle = tmp_path / "ca.pem"
        bundle.write_text("no certificate")
        with pytest.raises(
            ConfigurationError,
            match=rf"the CA bundle '{bundle}' cannot be used .* set verify to the path of a PEM file",
        ):
            make_client("https://127.0.0.1:1", network=NetworkSettings(verify=str(bundle)))


def test_each_thread_has_a_connection_and_keeps_it(
    scene: Scene, authority: Authority, make_client: ClientFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    scene.file.write_bytes(content(60 * 102_400))
    with authority.in_front_of(scene.server.port) as front:
        network = NetworkSettings(verify=str(authority.bundle))
        scene = replace(scene, client=make_client(f"https://127.0.0.1:{front.port}", network=network))
        scene.assert_done(scene.upload(max_concurrency=16))
        scene.client.close()
        assert front.connections <= 16 + 3  # those of the client and of the calling thread
    assert "pool is full" not in caplog.text


def test_who_asks(scene: Scene) -> None:
    scene.upload()
    agents = {record.headers["user-agent"] for record in scene.server.requests()}
    assert len(agents) == 1
    assert agents.pop().startswith(f"airflow-provider-oss-resume/{__version__} Python/3.")
