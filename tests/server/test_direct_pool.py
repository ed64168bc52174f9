"""The private methods of urllib3 that oss.http.direct_pool calls, in the installed version.

``make test-lowest`` runs this with the oldest urllib3 that pyproject.toml allows.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_oss_resume.oss import NetworkSettings
from airflow_provider_oss_resume.oss.http.connections import ConnectionRegistry
from airflow_provider_oss_resume.oss.http.direct_pool import DirectPool
from airflow_provider_oss_resume.oss.http.transport import OpenReply, Transport
from tests.server.tcp import OK, TCPServer, answering

VERSION = pytest.mark.parametrize("installed", [version("urllib3")])
TIMEOUT = urllib3.Timeout(connect=5.0, read=5.0)


def pool_to(port: int) -> Any:
    """Return a pool of one connection: the next request needs the one of the last."""
    registry = ConnectionRegistry(send_timeout=5.0)
    registry.set_owner(Transport(NetworkSettings()))
    return registry.pool_classes["http"]("127.0.0.1", port, maxsize=1, block=True)


def ask(pool: Any) -> OpenReply:
    return OpenReply(pool.exchange("GET", "/", {}, None, TIMEOUT))


@VERSION
def test_a_pool_lends_a_connection_and_takes_it_back(installed: str) -> None:
    with TCPServer(answering()) as server:
        pool = pool_to(server.port)
        lent = pool._get_conn()
        assert isinstance(lent, HTTPConnection), installed
        pool._validate_conn(lent)
        pool._put_conn(lent)
        assert pool._get_conn(timeout=0.1) is lent
        pool._put_conn(None)  # a slot without a connection: the next one is new
        assert pool._get_conn(timeout=0.1) is not lent


@VERSION
def test_the_methods_take_the_arguments_that_are_passed(installed: str) -> None:
    for pool in (HTTPConnectionPool, HTTPSConnectionPool):
        inspect.signature(pool._get_conn).bind(None)
        inspect.signature(pool._put_conn).bind(None, None)
        inspect.signature(pool._validate_conn).bind(None, None)
    assert installed


@VERSION
def test_one_connection_serves_reply_after_reply(installed: str) -> None:
    with TCPServer(answering(OK, OK, OK)) as server:
        pool = pool_to(server.port)
        for _ in range(3):
            assert ask(pool).status == 200, installed
        assert server.connections == 1


@VERSION
def test_a_reply_with_a_body_gives_the_connection_back_when_it_is_read(installed: str) -> None:
    with TCPServer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", OK)) as server:
        pool = pool_to(server.port)
        reply = ask(pool)
        assert reply.read() == b"ab"
        reply.close()
        assert ask(pool).status == 200, installed
        assert server.connections == 1


@VERSION
def test_a_failed_request_frees_its_slot_and_drops_its_connection(installed: str) -> None:
    with TCPServer(answering(b"no HTTP\r\n\r\n")) as server:
        pool = pool_to(server.port)
        for attempt in range(1, 4):
            with pytest.raises(Exception, match="no HTTP"):
                ask(pool)
            assert server.connections == attempt, installed


def test_a_proxy_gets_what_urllib3_sends() -> None:
    assert DirectPool.urlopen is HTTPConnectionPool.urlopen
    assert DirectPool._get_conn is HTTPConnectionPool._get_conn
