"""An object of OSS as a source, for another region or account: its bytes pass through this machine.

Each range is requested on condition that the object still has its ETag. A reply that is cut is continued where it
ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    NotFoundError,
    ObjectChangedError,
    ServiceError,
    SourceChangedError,
    SourceError,
    TransportError,
)
from airflow_provider_oss_resume.oss import OSSClient
from airflow_provider_oss_resume.remote_sources.replied_range import ATTEMPTS, RepliedRange
from airflow_provider_oss_resume.sources.source import Fingerprint

_ENCRYPTED = "x-oss-meta-client-side-encryption-key"


class OSSObjectSource:
    """An object that a client of its own reads.

    :param connect: returns the client; called at each opening, and the client is closed with the source.
    """

    def __init__(self, connect: Callable[[], OSSClient], bucket: str, key: str) -> None:
        self._connect = connect
        self._bucket = bucket
        self._key = key

    @property
    def uri(self) -> str:
        return f"oss://{self._bucket}/{self._key}"

    def open(self) -> OpenOSSObject:
        client = self._connect()
        try:
            return OpenOSSObject(client, self._bucket, self._key)
        except BaseException:
            client.close()
            raise


class OpenOSSObject:
    """An open object.

    :param client: closed with the object.
    :raises ConfigurationError: it may not be read, or a client encrypted it.
    :raises SourceError: there is no such object now, or OSS does not answer.
    """

    def __init__(self, client: OSSClient, bucket: str, key: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self.uri = f"oss://{bucket}/{key}"
        self.fingerprint = self.exact_fingerprint()

    def open_range(self, offset: int, length: int) -> RepliedRange:
        end = min(offset + length, self.fingerprint.size)
        condition = {"If-Match": f'"{self.fingerprint.tag}"'}

        @contextmanager
        def request(first: int) -> Iterator[Iterator[bytes]]:
            with self._client.get_object(self._bucket, self._key, (first, end - 1), condition) as (_, blocks):
                yield blocks

        return RepliedRange(request, offset, end, self._failed)

    def _failed(self, error: Exception, failures: int) -> None:
        """Let a reply that was cut be continued; the client has sent each request more than once."""
        if failures >= ATTEMPTS or not isinstance(error, TransportError):
            with self.errors():
                raise error

    def let_go(self, offset: int, length: int) -> None:
        """Hold nothing: each range is read once from its connection."""

    def check_unchanged(self) -> None:
        now = self.exact_fingerprint()
        if now != self.fingerprint:
            raise SourceChangedError(
                f"{self.uri} changed while it was uploaded ({self.fingerprint.size:,} bytes, now {now.size:,})"
            )

    def exact_fingerprint(self) -> Fingerprint:
        with self.errors():
            info = self._client.head_object(self._bucket, self._key)
        if _ENCRYPTED in info.headers:
            raise ConfigurationError(
                f"{self.uri} is encrypted by its client, and a copy could not be decrypted: use the unencrypted source"
            )
        return Fingerprint(info.size, info.etag, strong=True)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of OSS into those of a source: they are not the destination's."""
        try:
            yield
        except ObjectChangedError as error:
            raise SourceChangedError(f"{self.uri} changed while it was uploaded") from error
        except NotFoundError as error:
            raise SourceError(f"{self.uri}: there is no such object now ({error.code})") from error
        except AccessDeniedError as error:
            raise ConfigurationError(f"{self.uri} may not be read by the source's connection: {error}") from error
        except (ServiceError, TransportError) as error:
            raise SourceError(f"{self.uri} cannot be read: {error}") from error

    def close(self) -> None:
        # First: a thread that was left behind in a read would hold its connection open.
        self._client.cancel()
        self._client.close()
