"""Client-side encryption: what we write the official clients read, and what they write we read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as oss
import oss2
import pytest
from alibabacloud_oss_v2.crypto import MasterRsaCipher
from alibabacloud_oss_v2.encryption_client import EncryptionClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oss2.credentials import StaticCredentialsProvider

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from airflow_provider_oss_resume.oss.client_encryption.decryption import open_decrypted
from airflow_provider_oss_resume.oss.client_encryption.master_keys import KMSMasterKey, MasterKey, RSAMasterKey
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.upload import Uploader, UploadRequest

BUCKET = "examplebucket"
PART = 102_400
DESCRIPTION = {"key": "of the test"}
RANGES = [None, (0, 0), (1, 1), (16, 31), (17, 40), (102_399, 102_401), (250_001, None)]


def _pem_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public.decode(), private.decode()


PUBLIC, PRIVATE = _pem_pair()


@pytest.fixture
def client(server: DevServer) -> OSSClient:
    return OSSClient(server.url, Credentials("test-id", "test-secret"), "cn-hangzhou")


def master(scheme: str = "pkcs1") -> RSAMasterKey:
    # oss2's LocalRsaProvider, the one with OAEP, knows no description.
    return RSAMasterKey(PUBLIC, PRIVATE, scheme=scheme, description=DESCRIPTION if scheme == "pkcs1" else None)


def upload(client: OSSClient, source: Path, key: str, threshold: int, master_key: MasterKey) -> None:
    request = UploadRequest(source, BUCKET, key, part_size=PART, multipart_threshold=threshold, master_key=master_key)
    Uploader(client).upload(request)


def read(client: OSSClient, key: str, byte_range: tuple[int, int | None] | None = None) -> bytes:
    with open_decrypted(client, BUCKET, key, [master(), master("oaep")], byte_range) as (_, blocks):
        return b"".join(blocks)


def cut(data: bytes, byte_range: tuple[int, int | None] | None) -> bytes:
    if byte_range is None:
        return data
    first, last = byte_range
    return data[first : None if last is None else last + 1]


def crypto_bucket(server: DevServer, scheme: str, tmp_path: Path) -> Any:
    provider = StaticCredentialsProvider("test-id", "test-secret")
    if scheme == "pkcs1":
        pair = {"public_key": PUBLIC, "private_key": PRIVATE}
        keys: Any = oss2.crypto.RsaProvider(key_pair=pair, mat_desc=DESCRIPTION)
    else:
        (tmp_path / "pair.public_key.pem").write_text(PUBLIC)
        (tmp_path / "pair.private_key.pem").write_text(PRIVATE)
        keys = oss2.crypto.LocalRsaProvider(dir=str(tmp_path), key="pair")
    return oss2.CryptoBucket(oss2.ProviderAuthV4(provider), server.url, BUCKET, keys, region="cn-hangzhou")


def sdk_v2(server: DevServer) -> Any:
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("test-id", "test-secret")
    config.region, config.endpoint = "cn-hangzhou", server.url
    return EncryptionClient(oss.Client(config), MasterRsaCipher(DESCRIPTION, PUBLIC, PRIVATE))


@pytest.mark.parametrize("threshold", [0, 2**20], ids=["parts", "whole"])
@pytest.mark.parametrize("scheme", ["pkcs1", "oaep"])
def test_oss2_reads_what_we_write(
    server: DevServer, client: OSSClient, prefix: str, source: Path, tmp_path: Path, threshold: int, scheme: str
) -> None:
    key = f"{prefix}ours"
    upload(client, source, key, threshold, master(scheme))
    bucket = crypto_bucket(server, scheme, tmp_path)
    assert bucket.get_object(key).read() == source.read_bytes()
    assert bucket.get_object(key, byte_range=(102_399, 150_000)).read() == source.read_bytes()[102_399:150_001]


@pytest.mark.parametrize("threshold", [0, 2**20], ids=["parts", "whole"])
def test_sdk_v2_reads_what_we_write(
    server: DevServer, client: OSSClient, prefix: str, source: Path, threshold: int
) -> None:
    key = f"{prefix}ours"
    upload(client, source, key, threshold, master())
    theirs = sdk_v2(server)
    assert theirs.get_object(oss.GetObjectRequest(BUCKET, key)).body.read() == source.read_bytes()
    part = theirs.get_object(oss.GetObjectRequest(BUCKET, key, range_header="bytes=102399-150000"))
    assert part.body.read() == source.read_bytes()[102_399:150_001]


@pytest.mark.parametrize("scheme", ["pkcs1", "oaep"])
def test_we_read_what_oss2_writes(
    server: DevServer, client: OSSClient, prefix: str, source: Path, tmp_path: Path, scheme: str
) -> None:
    bucket, data = crypto_bucket(server, scheme, tmp_path), source.read_bytes()
    bucket.put_object(f"{prefix}whole", data)
    context = oss2.models.MultipartUploadCryptoContext(len(data), PART)
    upload_id = bucket.init_multipart_upload(f"{prefix}parts", upload_context=context).upload_id
    parts = []
    for number, start in enumerate(range(0, len(data), PART), start=1):
        piece = data[start : start + PART]
        done = bucket.upload_part(f"{prefix}parts", upload_id, number, piece, upload_context=context)
        parts.append(oss2.models.PartInfo(number, done.etag))
    bucket.complete_multipart_upload(f"{prefix}parts", upload_id, parts)
    for key in (f"{prefix}whole", f"{prefix}parts"):
        for byte_range in RANGES:
            assert read(client, key, byte_range) == cut(data, byte_range), (key, byte_range)


def test_we_read_what_sdk_v2_writes(server: DevServer, client: OSSClient, prefix: str, source: Path) -> None:
    theirs, data, key = sdk_v2(server), source.read_bytes(), f"{prefix}theirs"
    started = theirs.initiate_multipart_upload(
        oss.InitiateMultipartUploadRequest(BUCKET, key, cse_part_size=PART, cse_data_size=len(data))
    )
    parts = []
    for number, start in enumerate(range(0, len(data), PART), start=1):
        done = theirs.upload_part(
            oss.UploadPartRequest(
                BUCKET,
                key,
                part_number=number,
                upload_id=started.upload_id,
                body=data[start : start + PART],
                cse_multipart_context=started.cse_multipart_context,
            )
        )
        parts.append(oss.UploadPart(part_number=number, etag=done.etag))
    theirs.complete_multipart_upload(
        oss.CompleteMultipartUploadRequest(
            BUCKET,
            key,
            upload_id=started.upload_id,
            complete_multipart_upload=oss.CompleteMultipartUpload(parts=parts),
        )
    )
    for byte_range in RANGES:
        assert read(client, key, byte_range) == cut(data, byte_range)


class Stop(Exception):
    """What ends the first try."""


def interrupted(server: DevServer, client: OSSClient, request: UploadRequest, store: MemoryStore, parts: int) -> None:
    """Upload until so many parts are in the bucket, then fail."""

    def watch() -> None:
        if sum(record.operation == "UploadPart" and record.status == 200 for record in server.requests()) >= parts:
            raise Stop

    with pytest.raises(Stop):
        Uploader(client, store, watch=watch).upload(request)


def slow_request(source: Path, key: str, master_key: RSAMasterKey) -> UploadRequest:
    """An upload in parts, slow enough to be interrupted."""
    return UploadRequest(
        source, BUCKET, key, part_size=PART, multipart_threshold=0, master_key=master_key, bandwidth_limit=8 * 2**20
    )


def test_a_resumed_upload_is_encrypted_with_its_first_key(
    server: DevServer, client: OSSClient, prefix: str, tmp_path: Path
) -> None:
    source, key, store = tmp_path / "big", f"{prefix}resumed", MemoryStore()
    source.write_bytes(os.urandom(40 * PART + 5))
    request = slow_request(source, key, master())
    interrupted(server, client, request, store, parts=3)
    assert store.text
    assert PRIVATE.split("\n")[1] not in store.text
    result = Uploader(client, store).upload(request)
    assert result.resumed
    assert read(client, key) == source.read_bytes()


def test_without_the_private_key_the_next_try_starts_over_and_leaves_no_orphan(
    server: DevServer, client: OSSClient, prefix: str, tmp_path: Path
) -> None:
    source, key, store = tmp_path / "big", f"{prefix}restarted", MemoryStore()
    source.write_bytes(os.urandom(40 * PART))
    write_only = RSAMasterKey(PUBLIC, description=DESCRIPTION)
    request = slow_request(source, key, write_only)
    interrupted(server, client, request, store, parts=3)
    result = Uploader(client, store).upload(request)
    assert not result.resumed
    assert read(client, key) == source.read_bytes()
    assert [upload for upload in client.list_multipart_uploads(BUCKET) if upload.key == key] == []


def test_with_another_description_the_next_try_starts_over(
    server: DevServer, client: OSSClient, prefix: str, tmp_path: Path
) -> None:
    """Parts have to say of the key what Initiate said: every further try would be refused."""
    source, key, store = tmp_path / "big", f"{prefix}described", MemoryStore()
    source.write_bytes(os.urandom(40 * PART))
    request = slow_request(source, key, master())
    interrupted(server, client, request, store, parts=3)
    renamed = RSAMasterKey(PUBLIC, PRIVATE, description={"key": "of next year"})
    result = Uploader(client, store).upload(replace(request, master_key=renamed))
    assert not result.resumed
    assert read(client, key) == source.read_bytes()
    assert [upload for upload in client.list_multipart_uploads(BUCKET) if upload.key == key] == []


def test_a_key_management_service_is_two_functions(client: OSSClient, prefix: str, source: Path) -> None:
    def mirror(data: bytes) -> bytes:
        return data[::-1]

    kms = KMSMasterKey(encrypt=mirror, decrypt=mirror)
    upload(client, source, f"{prefix}kms", 0, kms)
    with open_decrypted(client, BUCKET, f"{prefix}kms", [kms]) as (info, blocks):
        assert b"".join(blocks) == source.read_bytes()
    assert info.metadata["client-side-encryption-wrap-alg"] == "KMS/ALICLOUD"


def test_another_key_is_refused_by_name(client: OSSClient, prefix: str, source: Path) -> None:
    upload(client, source, f"{prefix}locked", 0, master())
    other = RSAMasterKey(*_pem_pair(), description=DESCRIPTION)
    with (
        pytest.raises(ConfigurationError, match="another"),
        open_decrypted(client, BUCKET, f"{prefix}locked", [other]),
    ):
        pass
