"""Sources of SFTP, Azure and Google, and the faults that object stores have, on the real thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError, SourceError
from airflow_provider_oss_resume.remote_sources.object_storage import ObjectStorageSource, OpenObjectStorageFile
from airflow_provider_oss_resume.remote_sources.selection import ObjectStorageSelection
from airflow_provider_oss_resume.sources.selection import Unreadable
from demo.versions import AIRFLOW_3
from tests.airflow import azurite, gcs, sftp
from tests.airflow.faulty_proxy import FaultyProxy
from tests.airflow.s3 import S3Server
from tests.conformance.sources.source_cases import PART, SourceCases, content, peak_of_reading, read

pytestmark = pytest.mark.skipif(not AIRFLOW_3, reason="the client libraries are installed beside Airflow 3 only")


class TestSFTP(SourceCases):
    @pytest.fixture
    def place(self, sftp_server: sftp.SFTPServer, monkeypatch: pytest.MonkeyPatch) -> sftp.SFTPServer:
        monkeypatch.setenv(f"AIRFLOW_CONN_{sftp.CONN_ID.upper()}", sftp_server.connection)
        return sftp_server


class TestAzure(SourceCases):
    @pytest.fixture
    def place(self, azure: azurite.Azurite, monkeypatch: pytest.MonkeyPatch) -> azurite.Azurite:
        monkeypatch.setenv(f"AIRFLOW_CONN_{azurite.CONN_ID.upper()}", azure.connection)
        return azure


class TestGoogle(SourceCases):
    @pytest.fixture
    def place(self, google: gcs.GCSServer) -> gcs.GCSServer:
        return google


@dataclass(frozen=True)
class Store:
    """An object store behind a proxy that fails on request."""

    proxy: FaultyProxy
    write: Callable[[str, bytes], None]
    address: Callable[[str], str]

    def open(self, name: str) -> OpenObjectStorageFile:
        return ObjectStorageSource(self.address(name)).open()


@pytest.fixture(scope="session")
def proxies(s3: S3Server, azure: azurite.Azurite, google: gcs.GCSServer) -> Iterator[dict[str, FaultyProxy]]:
    """For the session: Airflow keeps one filesystem per connection id, with its endpoint."""
    running = {
        name: FaultyProxy(int(urlsplit(url).port or 0))
        for name, url in {"s3": s3.url, "azure": azure.url, "google": google.url}.items()
    }
    gcs.attach_filesystem("gcs_faulty", running["google"].url)
    yield running
    for proxy in running.values():
        proxy.close()


@pytest.fixture(params=["s3", "azure", "google"])
def store(
    request: pytest.FixtureRequest,
    proxies: dict[str, FaultyProxy],
    s3: S3Server,
    azure: azurite.Azurite,
    google: gcs.GCSServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Store:
    proxy = proxies[request.param]
    monkeypatch.setenv("AIRFLOW_CONN_S3_FAULTY", s3.connection.replace(s3.url, proxy.url))
    monkeypatch.setenv("AIRFLOW_CONN_AZURE_FAULTY", azure.connection.replace(azure.url, proxy.url))
    stores: dict[str, S3Server | azurite.Azurite | gcs.GCSServer] = {"s3": s3, "azure": azure, "google": google}
    real = stores[request.param]
    proxy.status, proxy.other_status, proxy.drop_after, proxy.added_headers = 0, 0, None, {}
    return Store(proxy, real.write, lambda name: real.address(name).replace("_exports@", "_faulty@"))


def test_one_request_reads_a_part_and_memory_is_bounded(store: Store) -> None:
    size = 24 * 1024 * 1024
    store.write("part.bin", content(size))
    with closing(store.open("part.bin")) as opened:
        assert read(opened, 5, 1000) == content(size)[5:1005]  # the client and its libraries are loaded
        store.proxy.ranges.clear()
        peak = peak_of_reading(opened, size)
    assert store.proxy.ranges == [f"bytes=0-{size - 1}"]
    assert peak < 4 * 1024 * 1024


def test_a_connection_that_drops_at_every_second_read_is_continued_where_it_ended(store: Store) -> None:
    size = 8 * 1024 * 1024  # far more than waits unread in a client when its connection is lost
    store.write("dropped.bin", content(size))
    with closing(store.open("dropped.bin")) as opened:
        store.proxy.drop_after = 6 * 1024 * 1024
        store.proxy.ranges.clear()
        assert read(opened, 0, size) == content(size)
    starts = [int(one.removeprefix("bytes=").partition("-")[0]) for one in store.proxy.ranges]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert len(starts) > 1


@pytest.mark.parametrize(("status", "kind"), [(403, ConfigurationError), (412, SourceError), (416, SourceError)])
def test_a_refusal_names_the_file(store: Store, status: int, kind: type[OSSResumeError]) -> None:
    store.write("refused.bin", content())
    with closing(store.open("refused.bin")) as opened:
        store.proxy.status = status
        with pytest.raises(kind, match=r"refused\.bin") as caught:
            read(opened, PART, PART)
    assert caught.value.permanent is (kind is ConfigurationError)


def test_a_directory_that_may_not_be_read_is_one_failure(store: Store) -> None:
    store.write("closed/a.csv", b"x")
    store.proxy.other_status = 403
    (found,) = ObjectStorageSelection([store.address("closed/")]).files()
    assert isinstance(found, Unreadable)
    assert "exports/closed" in found.location
    assert "may not be read: check the connection and its permissions" in found.reason


@pytest.mark.parametrize("store", ["google"], indirect=True)
def test_googles_own_word_on_the_generation_makes_a_second_look_unnecessary(store: Store) -> None:
    store.write("generation.bin", content())
    with closing(store.open("generation.bin")) as opened:
        # Refused, not counted: gcsfs sends two requests for one look and does not wait for the slower one.
        store.proxy.other_status = 403
        with pytest.raises(ConfigurationError, match="may not be read"):
            read(opened, 0, PART)
        store.proxy.added_headers = {"x-goog-generation": opened.fingerprint.tag}
        assert read(opened, 0, PART) == content()[:PART]


def test_an_object_that_is_replaced_while_it_is_read(store: Store) -> None:
    store.write("replaced.bin", content())
    with closing(store.open("replaced.bin")) as opened:
        store.write("replaced.bin", content(seed=1))
        with pytest.raises(OSSResumeError, match=r"replaced\.bin changed while it was uploaded"):
            read(opened, 0, 1000)


@pytest.mark.parametrize(
    ("scheme", "connection"),
    [
        ("abfs", {"conn_type": "wasb"}),
        ("abfs", {"conn_type": "wasb", "extra": {"connection_string": "AccountKey=hush-hush;garbage"}}),
    ],
)
def test_a_connection_that_cannot_work_is_not_called_a_missing_package(
    scheme: str, connection: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_UNUSABLE", json.dumps(connection))
    with pytest.raises(ConfigurationError, match=f"a connection or a URL that '{scheme}' cannot use: ") as caught:
        ObjectStorageSource(f"{scheme}://unusable@exports/a.bin").open()
    assert "install" not in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_a_wrong_password_and_a_server_that_is_down(
    sftp_server: sftp.SFTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(sftp_server.connection)
    monkeypatch.setenv("AIRFLOW_CONN_SFTP_WRONG", json.dumps({**connection, "password": "another"}))
    monkeypatch.setenv("AIRFLOW_CONN_SFTP_DOWN", json.dumps({**connection, "port": 1}))
    with pytest.raises(ConfigurationError, match=r"a\.bin may not be read: check the connection"):
        ObjectStorageSource("sftp://sftp_wrong@/a.bin").open()
    with pytest.raises(SourceError, match=r"a\.bin cannot be read: ConnectionRefusedError") as caught:
        ObjectStorageSource("sftp://sftp_down@/a.bin").open()
    assert not caught.value.permanent
