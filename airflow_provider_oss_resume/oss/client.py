"""The REST client of OSS; usable without Airflow.

::

    client = OSSClient("https://oss-cn-hangzhou.aliyuncs.com", Credentials("id", "secret"))
    client.put_object("examplebucket", "hello.txt", b"hello")
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from airflow_provider_oss_resume.oss.bucket_operations import BucketOperations
from airflow_provider_oss_resume.oss.change_operations import ChangeOperations
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, CredentialsProvider, SharedCredentials
from airflow_provider_oss_resume.oss.credentials.third_party import as_provider
from airflow_provider_oss_resume.oss.http.network import NetworkSettings
from airflow_provider_oss_resume.oss.http.transport import Transport
from airflow_provider_oss_resume.oss.listing_operations import ListingOperations
from airflow_provider_oss_resume.oss.multipart_operations import MultipartOperations
from airflow_provider_oss_resume.oss.object_operations import ObjectOperations
from airflow_provider_oss_resume.oss.range_operations import RangeOperations
from airflow_provider_oss_resume.oss.retry import RetryBudget, RetryPolicy
from airflow_provider_oss_resume.oss.service import Service
from airflow_provider_oss_resume.oss.service_settings import make_settings


class OSSClient(
    ObjectOperations, MultipartOperations, RangeOperations, ListingOperations, ChangeOperations, BucketOperations
):
    """Send requests to one OSS endpoint, from any number of threads.

    :param endpoint: scheme and host, such as ``https://oss-cn-hangzhou.aliyuncs.com``.
    :param credentials: an access key, or a credentials provider that is called for each request: one that
        :func:`.make_provider` returns, or any object with ``get_credentials()`` (oss2, SDK v2) or
        ``get_credential()`` (alibabacloud-credentials).
    :param region: region id such as ``cn-hangzhou``; by default that of the endpoint, if the endpoint contains it.
    :param signature_version: ``v4`` (default) or ``v1``.
    :param addressing_style: ``auto``, ``virtual``, ``path`` or ``cname``; see :mod:`.addressing`.
    :param product: ``oss`` or ``oss-cloudbox``; by default that of the endpoint.
    :param network: timeouts, TLS and proxies.
    :param retry: how requests are retried.
    :param request_payer: pay for requests to buckets with requester pays.
    :raises ConfigurationError: one of these cannot work; nothing was sent.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | CredentialsProvider | object,
        region: str | None = None,
        *,
        signature_version: str = "v4",
        addressing_style: str = "auto",
        product: str | None = None,
        network: NetworkSettings | None = None,
        retry: RetryPolicy | None = None,
        request_payer: bool = False,
    ) -> None:
        settings = make_settings(
            endpoint,
            region,
            signature_version,
            addressing_style,
            product,
            network or NetworkSettings(),
            retry or RetryPolicy(),
            request_payer,
        )
        shared = SharedCredentials(as_provider(credentials))
        super().__init__(settings, shared, Transport(settings.network), ServerClock(), RetryBudget())

    def fork(self, on_retry: Callable[[BaseException], None] | None = None) -> OSSClient:
        """Return a client of the same service that is cancelled separately.

        Connections, clock correction, credentials and retry budget are shared.

        :param on_retry: called with each error that is retried.
        """
        forked = OSSClient.__new__(OSSClient)  # __init__ would open connections of its own
        transport = self._transport.fork()
        Service.__init__(forked, self._settings, self._credentials, transport, self._clock, self._budget, on_retry)
        return forked

    def __enter__(self) -> OSSClient:  # noqa: PYI034 - Self is not in Python 3.10
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()
