"""Names of the methods of the official provider's OSSHook, for methods of the same purpose.

Names and order of the arguments are those of apache-airflow-providers-alibaba, so that a DAG
changes its import and its connection only. The official hook logs some errors; here all are raised.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError
from airflow_provider_oss_resume.hooks.location import parse_oss_url
from airflow_provider_oss_resume.hooks.models import ObjectHead
from airflow_provider_oss_resume.hooks.object_methods import ObjectMethods
from airflow_provider_oss_resume.hooks.transfer_methods import TransferMethods


class AlibabaNames(TransferMethods, ObjectMethods):
    """Answer to the names of the official ``OSSHook``."""

    @staticmethod
    def parse_oss_url(ossurl: str) -> tuple[str, str]:
        """Return bucket and key of ``oss://bucket/key``."""
        return parse_oss_url(ossurl)

    def object_exists(self, key: str, bucket_name: str | None = None) -> bool:
        """Tell whether there is an object of this key; see :meth:`exists`."""
        return self.exists(key, bucket_name)

    def key_exist(self, bucket_name: str | None, key: str) -> bool:
        """Tell whether there is an object of this key; see :meth:`exists`."""
        return self.exists(key, bucket_name)

    def head_key(self, bucket_name: str | None, key: str) -> ObjectHead:
        """Describe an object; see :meth:`head`."""
        return self.head(key, bucket_name)

    def read_key(self, bucket_name: str | None = None, key: str | None = None) -> str:
        """Return the text of an object, which must be UTF-8.

        The order of the arguments is that of the official provider, not that of Amazon's: name them.
        """
        if key is None:
            raise ConfigurationError("read_key has no key: name the arguments, as in read_key(key='exports/a.csv')")
        return self.read_bytes(key, bucket_name).decode()

    def load_string(self, key: str, content: str, bucket_name: str | None = None) -> None:
        """Store a string as UTF-8.

        The order of the arguments is that of the official provider, not that of Amazon's: name them.
        """
        self.upload_bytes(_encoded(content), key, bucket_name)

    def append_string(self, bucket_name: str | None, content: str, key: str, pos: int) -> None:
        """Append a string as UTF-8 to an appendable object, or create it at position 0.

        :param pos: the length of the object before, in bytes.
        """
        bucket, name = self._locate(key, bucket_name)
        with self.get_client() as client:
            client.append_object(bucket, name, pos, _encoded(content))

    def upload_local_file(self, key: str, file: str, bucket_name: str | None = None) -> None:
        """Upload a file; see :meth:`upload_file`."""
        self.upload_file(file, key, bucket_name)

    def delete_object(self, key: str, bucket_name: str | None = None) -> None:
        """Delete an object; see :meth:`delete`."""
        self.delete(key, bucket_name)

    def delete_objects(
        self,
        key: Sequence[str] | str | None = None,
        bucket_name: Sequence[str] | str | None = None,
        *,
        bucket: str | None = None,
        keys: Sequence[str] | str | None = None,
    ) -> None:
        """Delete many objects; see :meth:`delete_keys`.

        Takes the arguments of the official provider, ``delete_objects(key=[…], bucket_name=…)``, and those of
        Amazon's, ``delete_objects(bucket=…, keys=[…])``; by position, a string in the first place is the bucket.

        :raises OSSResumeError: OSS did not delete all of them.
        """
        if isinstance(key, str):  # Amazon's order: the official provider has a list of keys in this place
            key, bucket_name = bucket_name, key
        wanted, named = keys if keys is not None else key, bucket or bucket_name
        if wanted is None or not (named is None or isinstance(named, str)):
            raise ConfigurationError("delete_objects has no keys: write delete_objects(keys=[...], bucket='...')")
        done = self.delete_keys([wanted] if isinstance(wanted, str) else wanted, named)
        if done.failed:
            raise OSSResumeError(f"OSS did not delete {len(done.failed)} objects, the first is {done.failed[0]!r}")

    def create_bucket(self, bucket_name: str | None = None) -> None:
        """Create a bucket in the region of the connection."""
        with self.get_client() as client:
            client.put_bucket(self._bucket(bucket_name))

    def delete_bucket(self, bucket_name: str | None = None) -> None:
        """Delete an empty bucket."""
        with self.get_client() as client:
            client.delete_bucket(self._bucket(bucket_name))


def _encoded(content: object) -> bytes:
    if not isinstance(content, str):
        raise ConfigurationError(f"content is {content!r:.60}: give a string, or bytes to upload_bytes")
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("content is not valid Unicode: read it with its right encoding") from None
