"""The hook's methods against the dev server, under the names of three hooks."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.exceptions import (
    AlreadyExistsError,
    ConfigurationError,
    NotFoundError,
    OSSResumeError,
    ServiceError,
    SourceError,
)
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.stores.file import FileStore
from tests.airflow import bucket

_numbers = count()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming-from-the-alibaba-provider.md"


@dataclass(frozen=True)
class Scene:
    hook: OSSResumeHook
    key: str
    folder: Path

    def file(self, content: bytes = b"a,b\n") -> Path:
        path = self.folder / "local.csv"
        path.write_bytes(content)
        return path

    def put(self, content: bytes = b"a,b\n") -> str:
        self.hook.upload_bytes(content, self.key)
        return self.key


@pytest.fixture
def scene(oss: DevServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """A hook whose connection names the bucket, and a key that no other test uses."""
    connection = json.loads(bucket.connection(oss)) | {"schema": bucket.NAME}
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", json.dumps(connection))
    oss.clear_requests()
    return Scene(OSSResumeHook(), f"hook/{next(_numbers)}.csv", tmp_path)


# ---------------------------------------------------------------- our own names


def test_a_file_goes_up_and_comes_back(scene: Scene) -> None:
    result = scene.hook.upload_file(scene.file(b"x" * 500_000), scene.key, part_size=102_400, multipart_threshold=0)
    assert (result.parts, result.crc64) == (5, crc64(b"x" * 500_000))
    path = scene.hook.download_file(scene.key, scene.folder / "back.csv")
    assert Path(path).read_bytes() == b"x" * 500_000
    assert scene.hook.download(scene.key, scene.folder / "back.csv").unchanged


def test_a_key_may_be_a_url_and_then_needs_no_bucket(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.put(b"1")
    assert scene.hook.read_bytes(f"oss://{bucket.NAME}/{scene.key}") == b"1"
    assert scene.hook.exists(scene.key, bucket.NAME)
    with pytest.raises(ConfigurationError, match="leave bucket_name out"):
        scene.hook.exists(f"oss://{bucket.NAME}/{scene.key}", "another")


def test_no_bucket_at_all(oss: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    with pytest.raises(ConfigurationError, match="no bucket: give bucket_name"):
        OSSResumeHook().head("a")


def test_what_a_head_says(scene: Scene) -> None:
    scene.hook.upload_bytes(b"a,b\n", scene.key, content_type="text/csv", metadata={"owner": "me"})
    head = scene.hook.head(scene.key)
    assert (head.size, head.crc64) == (4, crc64(b"a,b\n"))
    assert (head.content_type, head.metadata) == ("text/csv", {"owner": "me"})
    assert abs(datetime.now(timezone.utc) - head.last_modified) < timedelta(minutes=5)


def test_exists(scene: Scene) -> None:
    assert not scene.hook.exists(scene.key)
    scene.put()
    assert scene.hook.exists(scene.key)
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        scene.hook.exists(scene.key, "no-such-bucket")


def test_a_stream_of_unknown_length(scene: Scene) -> None:
    content = b"0123456789" * 1_000_000
    scene.hook.upload_fileobj(io.BytesIO(content), scene.key)
    assert scene.hook.read_bytes(scene.key) == content
    assert scene.hook.head(scene.key).headers["x-oss-object-type"] == "Multipart"


def test_an_iterator_of_bytes(scene: Scene) -> None:
    result = scene.hook.upload_fileobj((bytes([number]) * 100_000 for number in range(9)), scene.key)
    assert scene.hook.read_bytes(scene.key) == b"".join(bytes([number]) * 100_000 for number in range(9))
    assert result.size == 900_000


def test_a_stream_that_breaks_leaves_nothing(scene: Scene) -> None:
    blocks = iter([b"x" * 1_000_000] * 20)

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if (block := next(blocks, None)) is None:
                raise OSError("the pipe broke")
            return block

    with pytest.raises(SourceError, match="OSError: the pipe broke"):
        scene.hook.upload_fileobj(Broken(), scene.key)
    assert not scene.hook.exists(scene.key)
    assert list(scene.hook.list_uploads(prefix=scene.key)) == []


def test_open_reads_ranges_and_closes_its_client(scene: Scene) -> None:
    scene.put(b"0123456789")
    with scene.hook.open(scene.key) as reader:
        reader.seek(5)
        assert reader.read(3) == b"567"
    assert reader.closed
    with pytest.raises(NotFoundError):
        scene.hook.open("no/such/key")


def test_listings(scene: Scene) -> None:
    for name in ("a", "b/1", "b/2"):
        scene.hook.upload_bytes(b"", f"{scene.key}/{name}")
    assert list(scene.hook.list_keys(prefix=f"{scene.key}/")) == [f"{scene.key}/{one}" for one in ("a", "b/1", "b/2")]
    assert list(scene.hook.list_keys(prefix=f"{scene.key}/", delimiter="/")) == [f"{scene.key}/a"]
    assert list(scene.hook.list_keys(prefix=f"oss://{bucket.NAME}/{scene.key}/", start_after=f"{scene.key}/b/1")) == [
        f"{scene.key}/b/2"
    ]
    assert list(scene.hook.list_prefixes(bucket.NAME, f"{scene.key}/")) == [f"{scene.key}/b/"]


def test_copy_tag_and_delete(scene: Scene) -> None:
    scene.put(b"copied")
    scene.hook.set_tags(scene.key, {"team": "sales"})
    head = scene.hook.copy(scene.key, f"oss://{bucket.NAME}/{scene.key}.copy")
    assert (head.key, head.size) == (f"{scene.key}.copy", 6)
    assert scene.hook.get_tags(f"{scene.key}.copy") == {"team": "sales"}
    scene.hook.delete(scene.key)
    done = scene.hook.delete_keys([f"{scene.key}.copy", "never/there"])
    assert (done.deleted, done.failed) == (2, ())
    assert list(scene.hook.list_keys(prefix=scene.key)) == []
    with pytest.raises(ConfigurationError, match="give a list of keys"):
        scene.hook.delete_keys("a-key")


def test_keys_to_delete_may_be_urls_of_their_bucket(scene: Scene) -> None:
    scene.put(b"x")
    scene.hook.delete_keys([f"oss://{bucket.NAME}/{scene.key}"])
    assert list(scene.hook.list_keys(prefix=scene.key)) == []
    with pytest.raises(ConfigurationError, match=r"names the bucket 'another', but bucket_name is 'examplebucket'"):
        scene.hook.delete_keys(["oss://another/key"])
    with pytest.raises(ConfigurationError, match="is a URL of 's3://': write the key alone"):
        scene.hook.delete_keys(["s3://another/key"])


def fetch(request: str | urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=20) as reply:  # noqa: S310 - our own server
        content: bytes = reply.read()
        return content


def test_a_presigned_url_reads_and_writes(scene: Scene) -> None:
    headers = {"Content-Type": "text/csv"}
    put = scene.hook.generate_presigned_url(scene.key, method="PUT", expires_in=timedelta(minutes=1), headers=headers)
    assert fetch(urllib.request.Request(put, b"by url", headers, method="PUT")) == b""  # noqa: S310 - our own server
    assert fetch(scene.hook.generate_presigned_url(scene.key)) == b"by url"
    with pytest.raises(ConfigurationError, match="method is 'PATCH': use GET"):
        scene.hook.generate_presigned_url(scene.key, method="PATCH")


def test_uploads_in_progress(scene: Scene) -> None:
    with scene.hook.get_client() as client:
        upload_id = client.initiate_multipart_upload(bucket.NAME, scene.key)
    [found] = scene.hook.list_uploads(prefix=scene.key)
    assert (found.key, found.upload_id) == (scene.key, upload_id)
    assert abs(datetime.now(timezone.utc) - found.initiated) < timedelta(minutes=5)
    assert list(scene.hook.list_uploads(prefix=scene.key, older_than=timedelta(days=1))) == []
    scene.hook.abort_upload(scene.key, upload_id)
    assert list(scene.hook.list_uploads(prefix=scene.key)) == []


def test_a_store_may_be_given_outside_of_a_task(scene: Scene, oss: DevServer) -> None:
    store, file = FileStore(scene.folder / "ckpt"), scene.file(b"y" * 500_000)
    rule = FaultRule(FaultKind.REPLY, "UploadPart", key=scene.key, part_number=4, status=403, code="AccessDenied")
    oss.plan(rule)
    how: dict[str, Any] = {"part_size": 102_400, "multipart_threshold": 0, "max_concurrency": 1}
    with pytest.raises(ServiceError):
        scene.hook.upload_file(file, scene.key, checkpoint_store=store, **how)
    assert scene.hook.upload_file(file, scene.key, checkpoint_store=store, **how).parts_reused == 3
    with pytest.raises(ConfigurationError, match="belongs to a running task"):
        scene.hook.upload_file(file, scene.key, checkpoint_store="variable")


@pytest.mark.parametrize("method", ["upload_file", "upload_bytes"])
def test_options_that_do_not_exist(scene: Scene, method: str) -> None:
    argument: Any = scene.file() if method == "upload_file" else b"x"
    with pytest.raises(ConfigurationError, match="no such option"):
        getattr(scene.hook, method)(argument, scene.key, storage_klass="IA")


# ---------------------------------------------------------------- Amazon's names


def test_the_names_of_amazons_hook(scene: Scene) -> None:
    hook, key = scene.hook, scene.key
    hook.load_bytes(b"1", key, bucket.NAME)
    with pytest.raises(AlreadyExistsError):
        hook.load_bytes(b"2", key, bucket.NAME)
    hook.load_file_obj(io.BytesIO(b"3"), key, bucket.NAME, replace=True)
    assert hook.check_for_key(key, bucket.NAME)
    assert hook.get_key(key, bucket.NAME).size == 1
    with pytest.raises(AlreadyExistsError):
        hook.load_file(filename=scene.file(), key=key)
    hook.load_file(scene.file(), key, bucket.NAME, replace=True)
    assert hook.read_bytes(key) == b"a,b\n"
    hook.delete_objects(bucket.NAME, key)
    hook.load_bytes(b"1", key)
    hook.delete_objects(bucket=bucket.NAME, keys=[key])
    assert not hook.check_for_key(key)


# ---------------------------------------------------------------- the official provider's names


def official_read(scene: Scene) -> None:
    scene.put(b"text")
    assert scene.hook.read_key(bucket_name=bucket.NAME, key=scene.key) == "text"
    assert scene.hook.read_key(bucket.NAME, scene.key) == "text"
    assert scene.hook.read_key(key=scene.key) == "text"
    with pytest.raises(ConfigurationError, match="name the arguments"):
        scene.hook.read_key(scene.key)


def official_head(scene: Scene) -> None:
    scene.put(b"text")
    assert scene.hook.head_key(bucket_name=bucket.NAME, key=scene.key).size == 4


def official_key_exist(scene: Scene) -> None:
    assert not scene.hook.key_exist(bucket_name=bucket.NAME, key=scene.key)
    scene.put()
    assert scene.hook.key_exist(bucket.NAME, scene.key)


def official_object_exists(scene: Scene) -> None:
    assert not scene.hook.object_exists(key=scene.key, bucket_name=bucket.NAME)
    scene.put()
    assert scene.hook.object_exists(scene.key)


def official_load_string(scene: Scene) -> None:
    scene.hook.load_string(key=scene.key, content="für", bucket_name=bucket.NAME)
    assert scene.hook.read_bytes(scene.key) == "für".encode()


def official_append_string(scene: Scene) -> None:
    scene.hook.append_string(bucket_name=bucket.NAME, content="one,", key=scene.key, pos=0)
    scene.hook.append_string(bucket.NAME, "two", scene.key, 4)
    assert scene.hook.read_bytes(scene.key) == b"one,two"


def official_upload_local_file(scene: Scene) -> None:
    scene.hook.upload_local_file(key=scene.key, file=str(scene.file(b"local")), bucket_name=bucket.NAME)
    assert scene.hook.read_bytes(scene.key) == b"local"


def official_download_file(scene: Scene) -> None:
    scene.put(b"remote")
    path = str(scene.folder / "got.csv")
    assert scene.hook.download_file(key=scene.key, local_file=path, bucket_name=bucket.NAME) == path
    assert Path(path).read_bytes() == b"remote"


def official_delete_object(scene: Scene) -> None:
    scene.put()
    scene.hook.delete_object(key=scene.key, bucket_name=bucket.NAME)
    assert not scene.hook.exists(scene.key)


def official_delete_objects(scene: Scene) -> None:
    scene.put()
    scene.hook.delete_objects(key=[scene.key, "never/there"], bucket_name=bucket.NAME)
    assert not scene.hook.exists(scene.key)


def official_buckets(scene: Scene) -> None:
    scene.hook.create_bucket(bucket_name="made-by-a-hook")
    scene.hook.delete_bucket(bucket_name="made-by-a-hook")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        scene.hook.delete_bucket("made-by-a-hook")


def official_parse(scene: Scene) -> None:
    assert OSSResumeHook.parse_oss_url(ossurl="oss://b/a/c.csv") == ("b", "a/c.csv")
    with pytest.raises(ConfigurationError, match="is not a URL of OSS"):
        OSSResumeHook.parse_oss_url("a/c.csv")


def official_region(scene: Scene) -> None:
    assert OSSResumeHook(region="cn-shanghai").settings.service.region == "cn-shanghai"
    assert scene.hook.get_default_region() == "cn-hangzhou"


OFFICIAL: dict[str, Callable[[Scene], None]] = {
    "OSSHook": official_region,
    "append_string": official_append_string,
    "create_bucket": official_buckets,
    "delete_bucket": official_buckets,
    "delete_object": official_delete_object,
    "delete_objects": official_delete_objects,
    "download_file": official_download_file,
    "get_default_region": official_region,
    "head_key": official_head,
    "key_exist": official_key_exist,
    "load_string": official_load_string,
    "object_exists": official_object_exists,
    "parse_oss_url": official_parse,
    "read_key": official_read,
    "upload_local_file": official_upload_local_file,
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_names_of_the_official_hook(scene: Scene, name: str) -> None:
    OFFICIAL[name](scene)


def test_the_page_shows_each_of_them() -> None:
    section = PAGE.read_text().split("## Hook methods")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)", section, re.MULTILINE)) == set(OFFICIAL)


def test_what_was_not_deleted_is_named(scene: Scene, oss: DevServer) -> None:
    oss.plan(FaultRule(FaultKind.ERROR_BODY, "DeleteMultipleObjects", body="<DeleteResult></DeleteResult>"))
    with pytest.raises(OSSResumeError, match="OSS did not delete 2 objects, the first is 'x'"):
        scene.hook.delete_objects(key=["x", "y"])


@pytest.mark.parametrize("arguments", [{}, {"bucket": "b"}, {"key": "b"}])
def test_nothing_to_delete(scene: Scene, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="delete_objects has no keys"):
        scene.hook.delete_objects(**arguments)
