"""Several uploads at the same time: they share one limit of connections, and each sees its own speed."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import FaultKind
from airflow_provider_oss_resume.exceptions import UploadCancelled
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Cancel, TransferLimits, UploadResult
from tests.server.conftest import ClientFactory
from tests.server.tcp import TCPServer
from tests.server.uploads import PART, Scene, content

UPLOADS = 3
LIMIT = 4
TEN_SECONDS = 10.0


class CountingRelay(TCPServer):
    """Pass requests on to a server, and count those that send data at the same time.

    :ivar most: how many there were at most.
    """

    def __init__(self, port: int) -> None:
        super().__init__(self._relay)
        self._target = port
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def _relay(self, client: socket.socket) -> None:
        with (
            socket.create_connection(("127.0.0.1", self._target)) as server,
            client.makefile("rb") as requests,
            server.makefile("rb") as replies,
        ):
            while head := _read_head(requests):
                sends_data = head.startswith(b"PUT ")
                self._count(+sends_data)
                server.sendall(head + requests.read(_length(head)))
                reply = _read_head(replies)
                body = b"" if head.startswith(b"HEAD ") else replies.read(_length(reply))
                self._count(-sends_data)
                client.sendall(reply + body)

    def _count(self, change: int) -> None:
        with self._lock:
            self._now += change
            self.most = max(self.most, self._now)


def _read_head(stream: object) -> bytes:
    lines = []
    while line := stream.readline():  # type: ignore[attr-defined]
        lines.append(line)
        if line == b"\r\n":
            break
    return b"".join(lines)


def _length(head: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


def scenes_of(scene: Scene, client: OSSClient, folder: Path, sizes: list[int]) -> list[Scene]:
    """Return scenes of uploads that may run at the same time, each with a file, a key and a store of its own."""
    scenes = []
    for number, size in enumerate(sizes):
        file = folder / f"{number}.csv"
        file.write_bytes(content(size, seed=number))
        key = f"{scene.key}.{number}"
        scenes.append(replace(scene, client=client, key=key, file=file, store=MemoryStore(), progress=[]))
    return scenes


def upload_all(scenes: list[Scene], limits: TransferLimits, **changes: object) -> list[UploadResult]:
    def upload(scene: Scene) -> UploadResult:
        return scene.uploader(limits=limits).upload(scene.request(max_concurrency=LIMIT, **changes))

    with ThreadPoolExecutor(len(scenes)) as threads:
        return list(threads.map(upload, scenes))


def most_at_the_same_time(
    scene: Scene, make_client: ClientFactory, folder: Path, limits: TransferLimits, sizes: list[int], threshold: int
) -> int:
    with CountingRelay(int(scene.server.url.rpartition(":")[2])) as relay:
        scenes = scenes_of(scene, make_client(relay.url), folder, sizes)
        results = upload_all(scenes, limits, multipart_threshold=threshold)
    for one, result in zip(scenes, results, strict=True):
        replace(one, client=scene.client).assert_done(result)
    return relay.most


def test_parts_of_all_uploads_count_toward_one_limit(scene: Scene, make_client: ClientFactory, tmp_path: Path) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.1, count=None)
    sizes = [8 * PART] * UPLOADS
    assert most_at_the_same_time(scene, make_client, tmp_path, TransferLimits(LIMIT), sizes, 0) == LIMIT


def test_small_files_count_too(scene: Scene, make_client: ClientFactory, tmp_path: Path) -> None:
    scene.fault(FaultKind.DELAY, "PutObject", seconds=0.1, count=None)
    sizes = [1000] * (3 * LIMIT)
    assert most_at_the_same_time(scene, make_client, tmp_path, TransferLimits(LIMIT), sizes, PART) == LIMIT


def test_without_common_limits_each_upload_has_its_own(
    scene: Scene, make_client: ClientFactory, tmp_path: Path
) -> None:
    scene.fault(FaultKind.DELAY, "UploadPart", seconds=0.1, count=None)
    sizes = [8 * PART] * UPLOADS
    most = most_at_the_same_time(scene, make_client, tmp_path, TransferLimits(), sizes, 0)
    assert LIMIT < most <= UPLOADS * LIMIT


def test_an_upload_that_waits_for_the_others_can_be_stopped(scene: Scene) -> None:
    limits = TransferLimits(1)
    assert limits.connections.acquire(lambda: False)  # by another upload, for ever
    cancel = Cancel()

    def stop_once_parts_wait() -> None:
        if limits.connections._waiting:
            cancel.request("stopped by a person", grace=60.0)

    with pytest.raises(UploadCancelled, match="stopped by a person"):
        scene.uploader(limits=limits, watch=stop_once_parts_wait).upload(scene.request(), cancel)
    assert not limits.connections._waiting
    limits.connections.release()
    scene.assert_done(scene.uploader(limits=limits).upload(scene.request()))


def test_what_waits_in_the_kernel_is_counted_per_upload(make_client: ClientFactory) -> None:
    """One upload's backlog must not look like another one's slowness."""
    finished = threading.Event()

    def read_nothing(_client: socket.socket) -> None:
        finished.wait(TEN_SECONDS)

    with TCPServer(read_nothing) as server:
        client = make_client(server.url)
        busy, idle = client.fork(), client.fork()
        sender = busy.fork()

        def send() -> None:
            with pytest.raises(UploadCancelled):
                sender.put_object("examplebucket", "key", bytes(32 * 1024 * 1024))

        thread = threading.Thread(target=send)
        thread.start()
        wait_until(lambda: sender.unsent() > 0)
        assert busy.unsent() > 0
        assert client.unsent() > 0
        assert idle.unsent() == 0
        sender.cancel()
        thread.join(TEN_SECONDS)
        finished.set()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for an event that nothing signals; pytest's timeout ends this if it does not come."""
    while not holds():
        pass
