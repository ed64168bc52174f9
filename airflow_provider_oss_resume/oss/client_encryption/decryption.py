"""Reading of client-side-encrypted objects, whole or in ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow_provider_oss_resume.oss.client import OSSClient
from airflow_provider_oss_resume.oss.client_encryption.encryption import WrappedKey, unwrap
from airflow_provider_oss_resume.oss.client_encryption.master_keys import MasterKey
from airflow_provider_oss_resume.oss.models import ObjectInfo


@contextmanager
def open_decrypted(
    client: OSSClient,
    bucket: str,
    key: str,
    masters: Sequence[MasterKey],
    byte_range: tuple[int, int | None] | None = None,
) -> Iterator[tuple[ObjectInfo, Iterator[bytes]]]:
    """Open an object for reading: its headers, and its bytes in blocks, decrypted if the object is encrypted.

    :param masters: master keys, one of which wrapped the key of the object.
    :param byte_range: first and last byte, both included; ``None`` as last is the end of the object.
    :raises ConfigurationError: none of the master keys fits.
    """
    with client.get_object(bucket, key, byte_range) as (info, blocks):
        wrapped = WrappedKey.of(info.headers)
        if wrapped is None:
            yield info, blocks
        else:
            yield info, unwrap(wrapped, masters).decrypt_blocks(blocks, byte_range[0] if byte_range else 0)
