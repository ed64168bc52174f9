"""Hook methods that read, list, copy, delete and tag objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.exceptions import ConfigurationError, NotFoundError
from airflow_provider_oss_resume.hooks.hook_methods import HookMethods
from airflow_provider_oss_resume.hooks.location import copy_key
from airflow_provider_oss_resume.hooks.models import DeletedKeys, ObjectHead, object_head
from airflow_provider_oss_resume.lineage.outlets import note_object_read, note_object_written

if TYPE_CHECKING:
    import io

_PRESIGNED = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}


class ObjectMethods(HookMethods):
    """Read, list, copy, delete and tag objects.

    Every ``key`` may be ``oss://bucket/key``; without a ``bucket_name`` it is in the bucket of the connection.
    """

    def head(self, key: str, bucket_name: str | None = None) -> ObjectHead:
        """Return size, ETag, CRC-64, time and headers of an object.

        :raises NotFoundError: there is no such object or bucket.
        """
        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            return object_head(bucket, name, client.head_object(bucket, name))

    def exists(self, key: str, bucket_name: str | None = None) -> bool:
        """Tell whether there is an object of this key.

        :raises ServiceError: OSS refuses to tell; a bucket that does not exist is an error too.
        """
        try:
            self.head(key, bucket_name)
        except NotFoundError as error:
            # A wrong bucket name would look like an object that does not exist yet, and a sensor would wait for it.
            if error.code == "NoSuchBucket":
                raise
            return False
        return True

    def read_bytes(self, key: str, bucket_name: str | None = None) -> bytes:
        """Return the bytes of an object, verified by their CRC-64. The whole object is in memory.

        :raises IntegrityError: the CRC-64 of the bytes is not the one that OSS reports.
        """
        from airflow_provider_oss_resume.object_io import read_object

        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            content = read_object(client, bucket, name)
        note_object_read(self, bucket, name)
        return content

    def open(self, key: str, bucket_name: str | None = None) -> io.BufferedReader:
        """Return a seekable binary file over an object; close it when done.

        :raises NotFoundError: there is no such object.
        """
        from airflow_provider_oss_resume.object_io import open_reader

        bucket, name = self._locate(key, bucket_name)
        client = self.get_client()
        try:
            reader = open_reader(client, bucket, name, on_close=client.close)
        except BaseException:
            client.close()
            raise
        note_object_read(self, bucket, name)
        return reader

    def list_keys(
        self, bucket_name: str | None = None, prefix: str = "", delimiter: str = "", start_after: str = ""
    ) -> Iterator[str]:
        """Yield the keys under a prefix in their order, page by page.

        :param prefix: a prefix, or ``oss://bucket/prefix``.
        :param delimiter: leave out the keys that have this text after the prefix.
        :param start_after: yield only the keys after this one.
        """
        for option, value in (("delimiter", delimiter), ("start_after", start_after)):
            if not isinstance(value or "", str):
                raise ConfigurationError(f"{option} is {value!r:.60}: it must be a string")
        bucket, start = self._locate(prefix, bucket_name)
        with self.get_client() as client:
            for found in client.list_objects(bucket, start, delimiter=delimiter, start_after=start_after):
                yield found.key

    def list_prefixes(self, bucket_name: str | None = None, prefix: str = "", delimiter: str = "/") -> Iterator[str]:
        """Yield each text between a prefix and the next delimiter once, both included."""
        bucket, start = self._locate(prefix, bucket_name)
        with self.get_client() as client:
            yield from client.list_prefixes(bucket, start, delimiter=delimiter)

    def copy(
        self,
        source_key: str,
        dest_key: str,
        source_bucket_name: str | None = None,
        dest_bucket_name: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ObjectHead:
        """Copy an object inside OSS, in parts above 1 GiB, and return the copy.

        Content type, metadata and tags are copied too. Both buckets must be in the region of the connection.

        :param dest_key: of the copy; the source's name is appended to one that ends in ``/``.
        :param headers: of the copy, such as ``x-oss-storage-class``.
        """
        from airflow_provider_oss_resume.object_io import copy_object

        source = self._locate(source_key, source_bucket_name)
        bucket, name = self._locate(dest_key, dest_bucket_name)
        name = copy_key(name, source[1])
        with self.get_client() as client:
            copy_object(client, source, bucket, name, headers or {})
            copy = object_head(bucket, name, client.head_object(bucket, name))
        note_object_read(self, *source)
        note_object_written(self, bucket, name)
        return copy

    def delete(self, key: str, bucket_name: str | None = None) -> None:
        """Delete an object; one that does not exist is no error."""
        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            client.delete_object(bucket, name)

    def delete_keys(self, keys: Iterable[str], bucket_name: str | None = None) -> DeletedKeys:
        """Delete many objects of one bucket, 1,000 a request.

        :return: how many keys are gone, and which OSS did not delete.
        """
        from airflow_provider_oss_resume.oss.addressing import require_key

        if isinstance(keys, (str, Mapping)) or not isinstance(keys, Iterable):
            raise ConfigurationError(f"keys is {keys!r:.60}: give a list of keys")
        bucket, deleted, failed = self._bucket(bucket_name), 0, list[str]()
        names: Iterable[str] = (require_key(self._locate(key, bucket)[1]) for key in keys)
        if not isinstance(keys, Iterator):  # a wrong key at the end must not come after deletions
            names = list(names)
        with self.get_client() as client:
            for sent, kept in client.delete_objects(bucket, names):
                deleted += len(sent) - len(kept)
                failed += kept
        return DeletedKeys(deleted, tuple(failed))

    def generate_presigned_url(
        self,
        key: str,
        bucket_name: str | None = None,
        *,
        method: str = "GET",
        expires_in: int | timedelta = 3600,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Return a presigned URL: one method on one object, without an access key. The URL is a secret.

        :param method: ``GET``, ``PUT``, ``HEAD`` or ``DELETE``.
        :param expires_in: seconds, or a timedelta; 7 days at most.
        :param headers: those that the user of the URL has to send, such as ``Content-Type``.
        """
        from airflow_provider_oss_resume.oss.operation import Operation
        from airflow_provider_oss_resume.upload.option_checks import require_texts

        verb = str(method).upper()
        if verb not in _PRESIGNED:
            raise ConfigurationError(f"method is {method!r}: use {', '.join(_PRESIGNED)}")
        require_texts("headers", headers or {})
        bucket, name = self._locate(key, bucket_name)
        operation = Operation(_PRESIGNED[verb], verb, bucket, name, headers=headers or {})
        with self.get_client() as client:
            return client.presign(operation, _seconds(expires_in))

    def get_tags(self, key: str, bucket_name: str | None = None) -> dict[str, str]:
        """Return the tags of an object."""
        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            return client.get_object_tagging(bucket, name)

    def set_tags(self, key: str, tags: Mapping[str, str], bucket_name: str | None = None) -> None:
        """Replace the tags of an object; without tags all are removed.

        :param tags: up to 10.
        """
        from airflow_provider_oss_resume.upload.option_checks import require_texts

        require_texts("tags", tags or {})
        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            client.put_object_tagging(bucket, name, tags)


def _seconds(value: object) -> int:
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"expires_in is {value!r:.60}: give seconds, or a timedelta")
    return value
