"""Client-side encryption, seen from the wire: one data key and counter never encrypt two plaintexts."""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_oss_resume.devserver import DevServer, FaultKind
from airflow_provider_oss_resume.exceptions import SourceChangedError, SourceError
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.oss.client_encryption.decryption import open_decrypted
from airflow_provider_oss_resume.oss.client_encryption.encryption import HEADER
from airflow_provider_oss_resume.oss.client_encryption.master_keys import RSAMasterKey
from airflow_provider_oss_resume.sources.encrypted import EncryptedSource
from airflow_provider_oss_resume.sources.local_file import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.stores.encrypted import EncryptedStore
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Owner, Phase, UploadRequest
from tests.server.conftest import KEYS, ClientFactory
from tests.server.tcp import TCPServer, read_head
from tests.server.test_upload_handover import encrypted_upload
from tests.server.uploads import BUCKET, PART, PARTS, SIZE, Scene, content

LARGE_PART = 1024 * 1024
"""Two blocks: the second can change while the first stays."""


class Recorder(TCPServer):
    """Forward to a server, and keep each body sent under a data key, whole or not.

    :ivar bodies: wrapped data key, offset in the object, and the bytes.
    :ivar on_error_reply: called once, before the client gets the first reply of status 5xx.
    """

    def __init__(self, port: int) -> None:
        super().__init__(self._forward)
        self._target = port
        self.bodies: list[tuple[str, int, bytearray]] = []
        self.on_error_reply: Callable[[], None] = _do_nothing

    def _forward(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
            try:
                while True:
                    self._pass_request(client, server)
            except ConnectionError:
                server.shutdown(socket.SHUT_RDWR)

    def _pass_request(self, client: socket.socket, server: socket.socket) -> None:
        head, _, rest = read_head(client).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        body = bytearray(rest)
        if f"{HEADER}key" in headers and lines[0].startswith("PUT"):
            original = next(line for line in lines if line.lower().startswith(f"{HEADER}key")).split(": ", 1)[1]
            number = int(lines[0].partition("partNumber=")[2].partition("&")[0].split(" ")[0] or 1)
            self.bodies.append((original, (number - 1) * int(headers.get(f"{HEADER}part-size", "0")), body))
        server.sendall(head + b"\r\n\r\n" + rest)
        while len(body) < int(headers.get("content-length", "0")):
            if not (more := client.recv(65536)):
                raise ConnectionError
            body += more
            server.sendall(more)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                if data.startswith(b"HTTP/1.1 5"):
                    act, self.on_error_reply = self.on_error_reply, _do_nothing
                    act()
                client.sendall(data)
        except OSError:
            pass

    def keys(self) -> set[str]:
        return {key for key, _, _ in self.bodies}

    def assert_no_reuse(self) -> None:
        """Compare all ciphertexts of one key, wherever they overlap."""
        seen: dict[tuple[str, int], bytes] = {}
        assert self.bodies
        for key, offset, body in self.bodies:
            longest = seen.get((key, offset), b"")
            common = min(len(longest), len(body))
            assert longest[:common] == body[:common], f"two ciphertexts at byte {offset} under one key"
            seen[key, offset] = max(longest, bytes(body), key=len)


def _do_nothing() -> None:
    pass


class Undated(LocalFile):
    """A file on a volume that shows no edit: only the bytes tell."""

    def open(self) -> OpenLocalFile:
        opened = super().open()
        opened.fingerprint = Fingerprint(opened.fingerprint.size, "undated")
        opened.__class__ = _OpenUndated
        return opened


class _OpenUndated(OpenLocalFile):
    def exact_fingerprint(self) -> Fingerprint:
        return self.fingerprint

    def check_unchanged(self) -> None:
        """See nothing."""


@pytest.fixture(scope="module")
def master() -> RSAMasterKey:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return RSAMasterKey(private_key=pem.decode())


@pytest.fixture
def wire(server: DevServer) -> Iterator[Recorder]:
    with Recorder(int(server.url.rpartition(":")[2].strip("/"))) as recorder:
        yield recorder
        recorder.assert_no_reuse()


@pytest.fixture(params=[LocalFile, Undated], ids=["dated", "undated"])
def kind(request: pytest.FixtureRequest) -> type[LocalFile]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def encrypted(scene: Scene, wire: Recorder, make_client: ClientFactory, master: RSAMasterKey, kind: Any) -> Scene:
    """The usual scene, its client behind the recorder, its uploads encrypted."""

    class EncryptedScene(Scene):
        def request(self, **changes: Any) -> UploadRequest:
            plain = super().request(master_key=master, **changes)
            return replace(plain, source=kind(self.file))

    return EncryptedScene(scene.server, make_client(wire.url), scene.key, scene.file)


def assert_stored(scene: Scene, master: RSAMasterKey) -> None:
    with open_decrypted(scene.client, BUCKET, scene.key, [master]) as (_, blocks):
        assert b"".join(blocks) == scene.file.read_bytes()
    assert scene.uploads_left() == []


@pytest.mark.parametrize("sequential", [False, True])
def test_an_edit_at_equal_size_and_time_gets_another_key(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey, sequential: bool
) -> None:
    encrypted.stop_after(3, sequential=sequential)
    encrypted.edit(PART + 5, 5 * PART)  # in a part that was sent and in one that was not
    result = encrypted.upload(sequential=sequential, max_concurrency=1 if sequential else 4)
    assert (result.parts_reused, len(wire.keys())) == (0, 2)
    assert_stored(encrypted, master)


def test_an_edit_at_another_size_gets_another_key(encrypted: Scene, wire: Recorder, master: RSAMasterKey) -> None:
    encrypted.stop_after(3)
    encrypted.file.write_bytes(content(SIZE + 16, seed=1))
    encrypted.upload()
    assert len(wire.keys()) == 2
    assert_stored(encrypted, master)


def test_an_unchanged_source_resumes_with_its_key(encrypted: Scene, wire: Recorder, master: RSAMasterKey) -> None:
    encrypted.stop_after(3)
    result = encrypted.upload()
    assert (result.parts_reused, result.parts_sent, len(wire.keys())) == (3, PARTS - 3, 1)
    assert_stored(encrypted, master)


def test_a_read_that_failed_once_costs_no_part(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source counted as changed, so all parts were sent again under another key."""
    read = os.preadv

    def fail_in_part_4(descriptor: int, buffers: Any, offset: int) -> int:
        if offset == 3 * PART:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", fail_in_part_4)
    with pytest.raises(SourceError, match="Input/output error"):
        encrypted.upload()
    monkeypatch.undo()
    result = encrypted.upload()
    assert (result.parts_reused, result.parts_sent, len(wire.keys())) == (3, PARTS - 3, 1)
    assert_stored(encrypted, master)


@pytest.mark.parametrize("options", [{}, {"sequential": True}, {"multipart_threshold": 2**30}], ids=str)
def test_a_retry_sends_nothing_of_a_file_that_changes_meanwhile(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey, options: dict[str, Any]
) -> None:
    encrypted.file.write_bytes(content(2 * LARGE_PART))
    encrypted.fail("PutObject" if "multipart_threshold" in options else "UploadPart", 503, "ServiceUnavailable")
    wire.on_error_reply = lambda: encrypted.edit(LARGE_PART - 1)  # in the last block of the part
    with pytest.raises(SourceChangedError):
        encrypted.upload(part_size=LARGE_PART, **options)
    wire.assert_no_reuse()
    encrypted.upload(part_size=LARGE_PART, **options)
    assert len(wire.keys()) == 2
    assert_stored(encrypted, master)


def test_a_hedged_part_of_a_file_that_changes_is_not_sent(encrypted: Scene, wire: Recorder) -> None:
    encrypted.fault(FaultKind.DELAY, "UploadPart", part_number=3, seconds=60.0)
    hedged = threading.Event()

    def edit_once_late(line: Any) -> None:
        if len(wire.bodies) >= PARTS and not hedged.is_set():
            hedged.set()
            encrypted.edit(2 * PART + 5)

    with pytest.raises(SourceChangedError):
        encrypted.uploader(progress=edit_once_late).upload(encrypted.request(max_concurrency=4))
    assert hedged.is_set()


@pytest.mark.parametrize("kind", [LocalFile])
def test_a_file_edited_during_a_resume_is_not_sent_under_the_old_key(encrypted: Scene, wire: Recorder) -> None:
    """The dead try sent part 4 and OSS kept nothing of it: the resume has no digest of its blocks."""
    encrypted.stop_after(3)
    assert [offset for _, offset, _ in wire.bodies] == [0, PART, 2 * PART, 3 * PART]
    encrypted.fail("ListParts", 503, "ServiceUnavailable")
    wire.on_error_reply = lambda: encrypted.edit(3 * PART)
    with pytest.raises(SourceChangedError):
        encrypted.upload()
    assert encrypted.count("ListParts") == 2


@pytest.mark.parametrize("options", [{}, {"sequential": True}], ids=str)
def test_memory_does_not_grow_with_the_number_of_parts(
    encrypted: Scene, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block's digest was kept to the end of the try: 400 MB for 1 TiB."""
    encrypted.file.write_bytes(content(400 * PART))
    encrypted.stop_after(100)
    kept, encrypt = [], EncryptedSource.encrypt

    def watched(source: EncryptedSource, block: memoryview, offset: int, digests: dict[int, bytes]) -> None:
        encrypt(source, block, offset, digests)
        kept.append(source.digests_kept)

    monkeypatch.setattr(EncryptedSource, "encrypt", watched)
    result = encrypted.upload(max_concurrency=4, **options)
    assert result.parts == 400
    # The events of settled parts are handled ten times a second; kept to the end of the try there would be 400.
    assert 0 < max(kept) <= 300


def lose_part_once(scene: Scene, number: int, act: Callable[[], None] = _do_nothing) -> Callable[[Any], None]:
    """Return a callback that replaces an acknowledged part in the bucket right before Complete."""
    done = False

    def lose(line: Any) -> None:
        nonlocal done
        if done or line.phase is not Phase.COMPLETING:
            return
        done = True
        sent = dict(scene.requests("UploadPart")[0].headers)
        envelope = {name: value for name, value in sent.items() if name.startswith(HEADER)}
        plain = scene.server.url  # not through the recorder, which watches what the upload sends
        with OSSClient(plain, KEYS, region="cn-hangzhou") as other:
            other.upload_part(BUCKET, scene.key, scene.uploads_left()[0], number, b"lost", envelope)
        act()

    return lose


@pytest.mark.parametrize("resumed", [False, True], ids=["sent by this try", "sent by another try"])
def test_a_part_is_sent_again_after_it_was_acknowledged_if_its_bytes_are_the_same(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey, resumed: bool
) -> None:
    if resumed:
        encrypted.stop_after(3)
    result = encrypted.uploader(progress=lose_part_once(encrypted, 5)).upload(encrypted.request())
    assert result.parts == PARTS
    assert encrypted.sent().count(5) == 3, "the other client's included"
    assert_stored(encrypted, master)


@pytest.mark.parametrize("verify_resume", [True, False])
@pytest.mark.parametrize("number", [2, 5], ids=["sent by another try", "sent by this try"])
def test_a_part_is_not_sent_again_with_other_bytes_than_those_acknowledged(
    encrypted: Scene, wire: Recorder, master: RSAMasterKey, number: int, verify_resume: bool
) -> None:
    encrypted.stop_after(3)
    edit = lose_part_once(encrypted, number, lambda: encrypted.edit((number - 1) * PART + 7))
    with pytest.raises(SourceChangedError):
        encrypted.uploader(progress=edit).upload(encrypted.request(verify_resume=verify_resume))
    wire.assert_no_reuse()
    encrypted.upload()
    assert len(wire.keys()) == 2
    assert_stored(encrypted, master)


@pytest.mark.parametrize("retry", [False, True])
def test_an_encrypted_upload_adopts_none(encrypted: Scene, wire: Recorder, master: RSAMasterKey, retry: bool) -> None:
    """Not even its own, whose checkpoint is lost: the data key was in it."""
    encrypted.stop_after(3)
    [own] = encrypted.uploads_left()
    encrypted.store.delete()
    plain = encrypted.client.initiate_multipart_upload(BUCKET, encrypted.key)
    result = encrypted.uploader(owner=Owner(try_number=1 + retry)).upload(encrypted.request())
    assert (result.recovered, result.parts_reused, result.parts_sent) == (False, 0, PARTS)
    assert set(encrypted.uploads_left()) == {own, plain}
    assert len(wire.keys()) == 2
    for upload_id in (own, plain):
        encrypted.client.abort_multipart_upload(BUCKET, encrypted.key, upload_id)
    assert_stored(encrypted, master)


def test_an_unreadable_checkpoint_is_reported_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A second line said that it is not JSON."""
    kept = MemoryStore()
    scene.store = EncryptedStore(kept, [Fernet.generate_key().decode()])
    scene.stop_after(3)
    scene.store = EncryptedStore(kept, [Fernet.generate_key().decode()])
    with caplog.at_level(logging.WARNING):
        scene.assert_done(scene.upload())
    assert [one.getMessage() for one in caplog.records if "continuing without it" in one.getMessage()] == [
        "the checkpoint cannot be decrypted with the configured keys; continuing without it"
    ]
    assert kept.text is None


def test_an_unreadable_checkpoint_of_a_small_file_is_deleted(scene: Scene) -> None:
    kept = MemoryStore()
    EncryptedStore(kept, [Fernet.generate_key().decode()]).save("of another key")
    scene.store = EncryptedStore(kept, [Fernet.generate_key().decode()])
    scene.assert_done(scene.upload(multipart_threshold=2**30))
    assert kept.text is None


def test_no_empty_upload_that_its_client_encrypts_is_asked_to_take_plain_parts(scene: Scene) -> None:
    theirs = encrypted_upload(scene)
    result = scene.upload()
    assert theirs not in {record.upload_id for record in scene.requests("UploadPart")}
    scene.client.abort_multipart_upload(BUCKET, scene.key, theirs)
    scene.assert_done(result)
