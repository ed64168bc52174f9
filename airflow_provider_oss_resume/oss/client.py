"""The REST client of OSS; usable without Airflow.

::

    client = OSSClient("https://oss-cn-hangzhou.aliyuncs.com", Credentials("id", "secret"))
    client.put_object("examplebucket", "hello.txt", b"hello")
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credential_sources.foreign import as_provider
from airflow_provider_oss_resume.oss.credentials import Credentials, CredentialsProvider, SharedCredentials
from airflow_provider_oss_resume.oss.multipart import MultipartOperations
from airflow_provider_oss_resume.oss.network import NetworkSettings
from airflow_provider_oss_resume.oss.objects import ObjectOperations
from airflow_provider_oss_resume.oss.retry import RetryBudget, RetryPolicy
from airflow_provider_oss_resume.oss.service import Service
from airflow_provider_oss_resume.oss.settings import make_settings
from airflow_provider_oss_resume.oss.transport import Transport


class OSSClient(ObjectOperations, MultipartOperations):
    """Speak to one OSS endpoint, from any number of threads.

    :param endpoint: scheme and host, such as ``https://oss-cn-hangzhou.aliyuncs.com``.
    :param credentials: keys, or a provider that is asked for them at each request: one of
        :mod:`.credential_sources`, or any object that has ``get_credentials()`` as those of oss2
        and SDK v2, or ``get_credential()`` as the client of alibabacloud-credentials.
    :param region: region id such as ``cn-hangzhou``; derived from the endpoint where it names one.
    :param signature_version: ``v4`` (default) or ``v1``.
    :param addressing_style: ``auto``, ``virtual``, ``path`` or ``cname``; see :mod:`.addressing`.
    :param product: ``oss``, or ``oss-cloudbox``.
    :param network: timeouts, TLS and proxies.
    :param retry: how requests are retried.
    :param request_payer: pay for the requests to buckets whose owner wants that of others.
    :raises ConfigurationError: before anything is sent, if one of these cannot work.
    """

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | CredentialsProvider | object,
        region: str | None = None,
        *,
        signature_version: str = "v4",
        addressing_style: str = "auto",
        product: str = "oss",
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
        """Return a client of the same service with a cancel of its own.

        Connections, clock correction, credentials and retry budget stay shared.

        :param on_retry: told each failure that is followed by another attempt.
        """
        forked = OSSClient.__new__(OSSClient)
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
