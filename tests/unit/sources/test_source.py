"""Local files: read by position, and refused with a reason where they cannot be."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    SourceChangedError,
    SourceError,
    SourceTruncatedError,
)
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.oss.models import Part
from airflow_provider_oss_resume.sources.layout import PartPlan, PartRange
from airflow_provider_oss_resume.sources.local_file import LocalFile, OpenLocalFile
from airflow_provider_oss_resume.sources.local_path import error_of_open, is_directory, local_path
from airflow_provider_oss_resume.sources.part_body import (
    BLOCK_SIZE,
    PACED_BLOCK,
    PartBody,
    checksum,
    new_buffer,
    rehash,
)
from airflow_provider_oss_resume.transfer.stragglers import STALLED, Sending, StragglerDetector

CONTENT = os.urandom(3 * BLOCK_SIZE + 11)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "export.bin"
    path.write_bytes(CONTENT)
    return path


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def nothing() -> None:
    """Find no reason to stop."""


@pytest.mark.parametrize("path", ["", "  ", b"", "\n"])
def test_an_empty_path_is_not_the_working_directory(path: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"has the empty path .*: write the path of a file"):
        local_path(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no such file: '.*/missing' on this worker"):
        LocalFile(tmp_path / "missing").open()


def test_a_directory(tmp_path: Path) -> None:
    before = open_descriptors()
    with pytest.raises(ConfigurationError, match="is a directory: give the path of one file"):
        LocalFile(tmp_path).open()
    assert open_descriptors() == before


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is not a regular file"):
        LocalFile(tmp_path / "pipe").open()


@pytest.mark.parametrize(
    "code", [errno.ESTALE, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBUSY, errno.ETIMEDOUT]
)
def test_an_error_of_open_that_may_pass_is_retried(code: int) -> None:
    """A volume that was mounted again ended the task for good (issue 8, A1)."""
    error = error_of_open("/exports/o.csv", OSError(code, os.strerror(code)))
    assert isinstance(error, SourceError)
    assert not error.permanent


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG])
def test_an_error_of_open_that_no_retry_can_change_is_final(code: int) -> None:
    assert error_of_open("/exports/o.csv", OSError(code, os.strerror(code))).permanent


def test_too_many_open_files_is_retried(file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_descriptors(), hard))
    held: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(file, os.O_RDONLY))
        with pytest.raises(SourceError, match="cannot be opened at present"):
            LocalFile(file).open()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be opened: File name too long$") as refused:
        LocalFile(tmp_path / ("x" * 4000)).open()
    assert len(str(refused.value)) < 400


def test_a_path_object_that_holds_bytes(tmp_path: Path) -> None:
    class BytesPath(os.PathLike[Any]):
        def __fspath__(self) -> Any:
            return os.fsencode(tmp_path / "a.csv")

    assert local_path(BytesPath()) == str(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "source", ["file:///exports/o.csv", "file://localhost/exports/o.csv", "/exports/../exports/o.csv"]
)
def test_a_file_url_is_a_path(source: str) -> None:
    assert LocalFile(source).path == "/exports/o.csv"


def test_a_tilde_is_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/airflow")
    assert LocalFile("~/o.csv").path == "/home/airflow/o.csv"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("file://nas/exports/o.csv", r"names the host 'nas': write file:///path, with three slashes"),
        ("file://o.csv", r"names the host 'o.csv': write file:///path"),
        ("s3://bucket/o.csv", r"has the scheme 's3': write the path of a local file"),
    ],
)
def test_a_url_that_names_no_local_file_is_refused(source: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        LocalFile(source)


def test_a_pattern_is_named_in_the_error_and_not_retried(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"a pattern is not expanded: write the path of one file"):
        LocalFile(tmp_path / "*.csv").open()


def test_a_file_whose_name_has_a_star_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a*.csv").write_bytes(b"x")
    with closing(LocalFile(tmp_path / "a*.csv").open()) as source:
        assert source.fingerprint.size == 1


def test_a_change_of_size_is_reported_in_numbers(file: Path) -> None:
    with closing(LocalFile(file).open()) as source:
        file.write_bytes(CONTENT + b"x")
        with pytest.raises(SourceChangedError, match=f"size {len(CONTENT):,} → {len(CONTENT) + 1:,}"):
            source.check_unchanged()


def test_a_change_of_the_time_alone_is_reported(file: Path) -> None:
    with closing(LocalFile(file).open()) as source:
        os.utime(file, (1, 1))
        with pytest.raises(SourceChangedError, match="only its modification time"):
            source.check_unchanged()


def test_a_file_that_is_replaced_by_rename_is_warned_of(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(LocalFile(file).open()) as source:
        other = file.with_suffix(".new")
        other.write_bytes(CONTENT)
        os.utime(other, ns=(file.stat().st_mtime_ns, file.stat().st_mtime_ns))
        other.rename(file)
        source.check_unchanged()
    assert "was replaced during the upload; the object is its earlier version" in caplog.text


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(ConfigurationError, match="is not a regular file: give the path of one file"):
            LocalFile(tmp_path / "s").open()


def test_a_device_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not a regular file"):
        LocalFile("/dev/null").open()


@pytest.mark.parametrize("path", ["/proc/self/status", "/proc/self/mem"])
def test_a_file_without_a_size_is_not_taken_for_empty(path: str) -> None:
    with pytest.raises(ConfigurationError, match="has bytes but no size"):
        LocalFile(path).open()


def test_an_empty_file_that_cannot_be_read_at_present_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESTALE of the look at an empty file was "has bytes but no size", for good."""
    (tmp_path / "empty").touch()

    def stale(*_arguments: object) -> bytes:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    before = open_descriptors()
    monkeypatch.setattr(os, "pread", stale)
    with pytest.raises(SourceError, match="cannot be opened at present: Stale file handle") as caught:
        LocalFile(tmp_path / "empty").open()
    assert not caught.value.permanent
    assert open_descriptors() == before


def test_a_directory_that_cannot_be_seen_at_present_is_not_taken_for_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ESTALE, and a directory was refused for good: "give the path of one file"."""

    def stale(*_arguments: object) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    assert is_directory(str(tmp_path))
    assert not is_directory(str(tmp_path / "missing"))
    monkeypatch.setattr(os, "stat", stale)
    with pytest.raises(SourceError, match="at present: Stale file handle"):
        is_directory(str(tmp_path))


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened: embedded null"):
        LocalFile("a\0b").open()


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        LocalFile(tmp_path / "loop").open()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # the child forks only to lose its rights
def test_a_file_that_may_not_be_read(file: Path) -> None:
    """In a child of its own, because root may read everything and a thread cannot give that up for itself."""
    file.chmod(0o000)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        _print_refusal(file)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        message = pipe.read()
    os.waitpid(child, 0)
    assert message == f"file {str(file)!r} may not be read by user id {os.getuid() or 65534}"


def _print_refusal(file: Path) -> None:
    try:
        if os.getuid() == 0:
            for parent in list(file.parents)[:3]:
                parent.chmod(0o755)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        LocalFile(file).open()
    except ConfigurationError as error:
        os.write(1, str(error).encode())
    finally:
        os._exit(0)


def test_a_link_to_a_file_is_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    with closing(LocalFile(tmp_path / "link").open()) as source:
        assert source.fingerprint.size == len(CONTENT)


def test_a_relative_path_stays_where_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    source = LocalFile(file.name)
    monkeypatch.chdir("/")
    assert source.uri == f"file://{file}"
    source.open().close()


def test_it_reads_at_any_place_and_closes(file: Path) -> None:
    before = open_descriptors()
    with closing(LocalFile(file).open()) as source:
        buffer = memoryview(bytearray(100))
        with source.open_range(1000, 150) as first, source.open_range(len(CONTENT) - 10, 200) as last:
            assert first.read_into(buffer) == 100
            assert bytes(buffer) == CONTENT[1000:1100]
            assert last.read_into(buffer) == 10
            assert last.read_into(buffer) == 0, "the file ends"
            assert first.read_into(buffer) == 50
            assert bytes(buffer[:50]) == CONTENT[1100:1150]
            assert first.read_into(buffer) == 0, "the range ends"
    assert open_descriptors() == before


def test_a_fault_of_the_disk_is_no_fault_of_the_network(file: Path) -> None:
    source = LocalFile(file).open()
    source.close()
    with (
        pytest.raises(SourceError, match=r"cannot be read at byte 5: .*Bad file descriptor"),
        source.open_range(5, 1) as reader,
    ):
        reader.read_into(memoryview(bytearray(1)))


def change_content(file: Path) -> None:
    file.write_bytes(b"other" + CONTENT)


def change_time(file: Path) -> None:
    os.utime(file, ns=(1, 1))


def truncate(file: Path) -> None:
    os.truncate(file, 10)


@pytest.mark.parametrize("change", [change_content, change_time, truncate])
def test_a_file_that_changes_while_it_is_open_is_noticed(file: Path, change: object) -> None:
    with closing(LocalFile(file).open()) as source:
        source.check_unchanged()
        change(file)  # type: ignore[operator]
        with pytest.raises(SourceChangedError, match=r"changed while it was uploaded.*when they are complete"):
            source.check_unchanged()


def test_a_file_that_is_replaced_by_another_is_read_as_it_was(file: Path) -> None:
    """That is how exports should be written: the name changes hands, the open file stays."""
    with closing(LocalFile(file).open()) as source:
        other = file.with_suffix(".new")
        other.write_bytes(b"new")
        other.replace(file)
        source.check_unchanged()
        assert checksum(source, PartPlan(len(CONTENT), 1000), new_buffer(), nothing) == crc64(CONTENT)


def test_a_recreated_file_of_equal_content_has_another_fingerprint(file: Path) -> None:
    with closing(LocalFile(file).open()) as source:
        before = source.fingerprint
    file.rename(file.with_suffix(".old"))
    file.write_bytes(CONTENT)
    with closing(LocalFile(file).open()) as source:
        assert source.fingerprint != before
        assert source.fingerprint.size == before.size
        assert not source.fingerprint.strong


@pytest.fixture
def source(file: Path) -> OpenLocalFile:
    return LocalFile(file).open()


def test_a_body_yields_the_part_and_knows_its_crc(source: OpenLocalFile) -> None:
    part, counts = PartPlan(len(CONTENT), 2 * BLOCK_SIZE + 5).part(2), list[int]()
    body = PartBody(source, part, new_buffer(), counts.append)
    sent = b"".join(bytes(block) for block in body)
    assert sent == CONTENT[part.offset :]
    assert (len(body), body.crc64, body.attempts) == (len(sent), crc64(sent), 1)
    assert sum(counts) == len(sent)
    source.close()


def test_a_body_read_again_starts_over_and_takes_its_bytes_back(source: OpenLocalFile) -> None:
    counts = list[int]()
    body = PartBody(source, PartRange(1, 0, len(CONTENT)), new_buffer(), counts.append)
    first = iter(body)
    for _ in range(3):
        next(first)  # the connection breaks in the third block
    assert b"".join(bytes(block) for block in body) == CONTENT
    assert (body.crc64, body.attempts) == (crc64(CONTENT), 2)
    assert sum(counts) == len(CONTENT)
    source.close()


def test_an_empty_part_is_a_body_too(source: OpenLocalFile) -> None:
    body = PartBody(source, PartRange(1, 0, 0), new_buffer(), list[int]().append)
    assert (list(body), len(body), body.crc64) == ([], 0, 0)
    source.close()


def test_a_truncated_source_ends_its_part(source: OpenLocalFile, file: Path) -> None:
    os.truncate(file, BLOCK_SIZE + 1)
    body = PartBody(source, PartRange(7, 0, len(CONTENT)), new_buffer(), list[int]().append)
    with pytest.raises(SourceTruncatedError, match=f"ends after {BLOCK_SIZE + 1} bytes, inside part 7"):
        list(body)
    source.close()


def listed(content: bytes, *, with_crc: bool = True) -> Part:
    import hashlib

    etag = hashlib.md5(content).hexdigest().upper()
    return Part(1, len(content), etag, crc64(content) if with_crc else None)


@pytest.mark.parametrize("with_crc", [True, False])
def test_a_part_is_verified_by_crc_or_else_by_md5(source: OpenLocalFile, with_crc: bool) -> None:
    whole, buffer = PartRange(1, 0, len(CONTENT)), new_buffer()
    other = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    same = rehash(source, whole, listed(CONTENT, with_crc=with_crc), buffer, nothing)
    different = rehash(source, whole, listed(other, with_crc=with_crc), buffer, nothing)
    assert same == (crc64(CONTENT), True)
    assert different == (crc64(CONTENT), False)
    source.close()


def test_a_part_of_another_size_is_another_part(source: OpenLocalFile) -> None:
    short = Part(1, 10, "E", crc64(CONTENT))
    assert rehash(source, PartRange(1, 0, len(CONTENT)), short, new_buffer(), nothing)[1] is False
    source.close()


def test_a_long_checksum_can_be_stopped(source: OpenLocalFile) -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        checksum(source, PartPlan(len(CONTENT), 1000), new_buffer(), stop)
    source.close()


def cached(path: Path) -> int:
    """Return how many bytes of a file are in the page cache."""
    return int(subprocess.check_output(["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]))


@pytest.mark.parametrize(("size", "kept"), [(1024 * 1024, True), (os.sysconf("SC_PHYS_PAGES") * 2048, False)])
def test_only_a_huge_file_leaves_the_page_cache_behind_the_upload(tmp_path: Path, size: int, kept: bool) -> None:
    """Dropping a small file's pages would have its next reader wait for the disk, for no one's gain."""
    path = tmp_path / "export.bin"
    with path.open("wb") as file:
        file.truncate(size)  # a hole takes no room on the disk, but its pages are cached when they are read
    with closing(LocalFile(path).open()) as opened:
        with opened.open_range(0, 256 * 1024) as reader:
            reader.read_into(memoryview(bytearray(256 * 1024)))
        before = cached(path)
        assert before >= 256 * 1024
        opened.let_go(0, 1024 * 1024)
        assert cached(path) == (before if kept else 0)


def test_who_waits_for_his_turn_under_a_limit_does_not_stand_still(file: Path) -> None:
    """The connection is not to blame, and a second sending would wait just as long for its own turn."""
    found: list[list[int]] = []

    def pace(_count: int) -> None:
        found.append(StragglerDetector().stragglers(3 * STALLED, [Sending(1, client, body, 0.0)]))

    client: Any = None
    with closing(LocalFile(file).open()) as source:
        body = PartBody(source, PartRange(1, 0, len(CONTENT)), new_buffer(), lambda _count: None, pace, lambda: 0.0)
        assert sum(len(block) for block in body) == len(CONTENT)
    assert found
    assert not any(found)


def test_under_a_limit_blocks_are_small_so_that_no_connection_idles_between_two(file: Path) -> None:
    """OSS hangs up (RequestTimeout): at 100 KiB a second, 16 threads with 512 KiB each would wait 80 s for a turn."""
    with closing(LocalFile(file).open()) as source:
        asked: list[int] = []
        body = PartBody(source, PartRange(1, 0, len(CONTENT)), new_buffer(), lambda _count: None, asked.append)
        assert [len(block) for block in body] == asked
    assert max(asked) == PACED_BLOCK
    assert body.crc64 == crc64(CONTENT)


# --- volumes whose times flap


def test_without_times_only_another_size_is_a_change(file: Path) -> None:
    with closing(LocalFile(file, check_times=False).open()) as source:
        os.utime(file, ns=(1, 1))
        source.check_unchanged()
        file.write_bytes(CONTENT + b"more")
        with pytest.raises(SourceChangedError, match="size"):
            source.check_unchanged()


def test_without_times_files_of_one_size_have_one_fingerprint(file: Path) -> None:
    with closing(LocalFile(file, check_times=False).open()) as source:
        file.unlink()
        file.write_bytes(CONTENT)
        with closing(LocalFile(file, check_times=False).open()) as again:
            assert again.fingerprint == source.fingerprint
            assert not again.fingerprint.strong
