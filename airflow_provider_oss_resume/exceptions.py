"""All exceptions of this package, in one tree.

::

    OSSResumeError
    ├── ConfigurationError            an argument or the connection must change; never retried
    │   └── NoRangesError             the source can only be read as a stream
    ├── TransportError                no usable reply: connect, timeout, reset          (retried)
    │   ├── UnknownHostError          no such host name, and the host never replied     (retried for a minute)
    │   └── WrongSchemeError          http to a port that speaks https, or the reverse  (retried for a minute)
    ├── ServiceError                  a reply that is an error: status, code, EC, request id
    │   ├── ThrottledError            503 of a rate limit, 429; has retry_after         (retried, slower)
    │   ├── ServerFaultError          5xx, 408, RequestTimeout, 200 with an error body  (retried)
    │   ├── DigestMismatchError       OSS received other bytes than were sent           (retried)
    │   ├── ClockSkewError            the local clock is wrong; has the server's time   (corrected once, retried)
    │   ├── CredentialsExpiredError   SecurityTokenExpired, InvalidSecurityToken        (renewed once, retried)
    │   ├── AccessDeniedError         other 403: key, policy, account or endpoint must change
    │   ├── NotFoundError             404 of a bucket or an object
    │   ├── NoSuchUploadError         404 of an upload id: completed, aborted or expired
    │   ├── AlreadyExistsError        409: the object exists and must not be overwritten
    │   ├── InvalidRequestError       other 4xx: OSS does not accept this request or option
    │   ├── UnexpectedReplyError      3xx or 4xx that OSS did not send: a proxy, a login page, another server
    │   ├── PartAlreadyExistsError    a sequential upload has this part and accepts no other one
    │   ├── ObjectChangedError        412: the object was replaced while it was read
    │   ├── InvalidPartError          Complete lists a part that OSS does not have
    │   └── CallbackFailedError       203: the object IS stored, its callback failed
    ├── IntegrityError                CRC-64 of the source and of OSS differ            (part: retried)
    ├── SourceError                   the source cannot be read
    │   ├── SourceChangedError        it changed while it was read; the next try sends what differs
    │   ├── SourceTruncatedError      it has fewer bytes than at the start; nothing is completed
    │   └── EmptySelectionError       no file matches; a retry may find some
    ├── SpoolError                    no room for the parts of a stream until they are sent
    ├── TargetError                   a download cannot write its file, a batch its list
    ├── FilesFailedError              files of a batch failed; the others are in the bucket
    ├── PlanError                     the plan of a sharded upload cannot be carried out: make a new one
    │   └── PlanReplacedError         a newer plan replaced this one                    (retried, with the newer plan)
    ├── CheckpointError               a checkpoint is unreadable (handled as lost), or a store fails
    └── UploadCancelled               on_kill or deadline; the parts are kept
        └── UploadTakenOver           a newer try owns the upload; this one stops

Each docstring names who fixes or handles it. ``permanent`` tells an orchestrator that no retry of
the task can succeed until a person changes something.
"""

from __future__ import annotations

from airflow_provider_oss_resume.error_details import ErrorDetails as ErrorDetails  # noqa: PLC0414 - a public name
from airflow_provider_oss_resume.error_details import FailedFile as FailedFile  # noqa: PLC0414 - likewise


class OSSResumeError(Exception):
    """Base of all errors of this package."""

    permanent = False


class ConfigurationError(OSSResumeError):
    """Report an argument or connection setting that cannot work.

    To be fixed by the DAG author or the owner of the connection. Raised before the first
    byte is sent wherever that is possible.
    """

    permanent = True


class NoRangesError(ConfigurationError):
    """Report a web server that cannot send a part of a file. Handled by the uploader, which reads it as a stream.

    :param size: bytes of the file, where the server tells them.
    """

    def __init__(self, message: str, size: int | None = None) -> None:
        self.size = size
        super().__init__(message)


class TransportError(OSSResumeError):
    """Report that no usable reply arrived: connect, timeout, reset, cut reply. No action needed: it is retried."""


class UnknownHostError(TransportError):
    """Report that the name server knows no host of this name, and that the host never replied.

    To be fixed by the owner of the connection, most likely. A retry of the task may still help: name servers fail too.
    """


class WrongSchemeError(TransportError):
    """Report an http request to a port that speaks https, or the reverse.

    To be fixed by the owner of the connection. A retry of the task may still help: a port can be opened with the
    wrong protocol while a server restarts.
    """


class ServiceError(OSSResumeError):
    """Report an error reply.

    :param details: content of the reply; ``status``, ``code``, ``ec``, ``request_id`` and ``host_id``
        are attributes of the error too.
    :param advice: what to change, as a sentence without a full stop.
    """

    default_advice = ""

    def __init__(self, details: ErrorDetails, advice: str = "") -> None:
        self.details = details
        self.advice = advice or self.default_advice
        super().__init__(f"{details}. {self.advice}" if self.advice else str(details))

    @property
    def status(self) -> int:
        return self.details.status

    @property
    def code(self) -> str:
        return self.details.code

    @property
    def ec(self) -> str:
        return self.details.ec

    @property
    def request_id(self) -> str:
        return self.details.request_id

    @property
    def host_id(self) -> str:
        return self.details.host_id

    def __reduce__(self) -> tuple[type[ServiceError], tuple[ErrorDetails, str]]:
        """Support pickling: Airflow sends exceptions between processes."""
        return type(self), (self.details, self.advice)


class ThrottledError(ServiceError):
    """Report a rate limit. No action needed: the request is retried more slowly."""


class ServerFaultError(ServiceError):
    """Report a fault of the service. No action needed: the request is retried."""


class DigestMismatchError(ServiceError):
    """Report that OSS received other bytes than were sent. No action needed: the part is read and sent again."""


class ClockSkewError(ServiceError):
    """Report a local clock that is more than 15 minutes wrong. No action needed: it is corrected once."""

    default_advice = "The clock of this machine is wrong: synchronize it with NTP"


class CredentialsExpiredError(ServiceError):
    """Report an STS token that OSS no longer accepts. Handled by the credentials provider, once."""

    default_advice = "Renew the STS token of the connection, or use an auth_type that renews it"


class AccessDeniedError(ServiceError):
    """Report a refused request. To be fixed by the owner of the key, the RAM policy, the account or the endpoint."""

    permanent = True


class NotFoundError(ServiceError):
    """Report a bucket or object that does not exist. To be fixed by the DAG author."""

    permanent = True


class NoSuchUploadError(ServiceError):
    """Report an upload id that OSS does not know, or not any more. Handled by the resume decision."""


class AlreadyExistsError(ServiceError):
    """Report that the object exists and must not be overwritten. To be fixed by the DAG author."""

    permanent = True
    default_advice = (
        "Choose another key; or, to overwrite the object, set replace=True and leave the header "
        "x-oss-forbid-overwrite out"
    )


class InvalidRequestError(ServiceError):
    """Report a request that OSS does not accept as it is. To be fixed by the DAG author, or in this package."""

    permanent = True


class UnexpectedReplyError(ServiceError):
    """Report a 3xx or 4xx that OSS did not send. To be fixed by the owner of the connection or the network."""

    permanent = True


class PartAlreadyExistsError(ServiceError):
    """Report that a sequential upload already has a part. Handled by the uploader, which compares it."""


class InvalidPartError(ServiceError):
    """Report that Complete lists a part that OSS does not have with this ETag. Handled by the uploader."""


class ObjectChangedError(ServiceError):
    """Report that an object was replaced while it was read. Acts: the downloader, which starts again."""


class CallbackFailedError(ServiceError):
    """Report that the object is stored but the callback failed. To be fixed by the owner of the callback server.

    Permanent, because a retry finds the object complete and triggers no callback.
    """

    permanent = True
    default_advice = "The object is stored: do not upload it again, repair the callback server"


class IntegrityError(OSSResumeError):
    """Report that the CRC-64 of the source and of OSS differ, with both values."""


class SourceError(OSSResumeError):
    """Report a source that cannot be read. To be fixed by the owner of the source."""


class SourceChangedError(SourceError):
    """Report a source that changed while it was uploaded. A retry sends the parts that differ."""


class SourceTruncatedError(SourceError):
    """Report a source with fewer bytes than it had at the start. Nothing is completed."""


class TargetError(OSSResumeError):
    """Report a file or folder that cannot be written to. Acts: whoever owns the worker's disk."""


class SpoolError(OSSResumeError):
    """Report that parts of a stream cannot be stored until they are sent. Acts: whoever owns the worker's disk."""


class EmptySelectionError(SourceError):
    """Report a selection without files. Acts: whoever writes the files, or the DAG author."""


class FilesFailedError(OSSResumeError):
    """Report files that failed; all others of the batch are in the bucket.

    :param message: the failures as a table.
    :param failed: the failures, up to a thousand.
    """

    def __init__(self, message: str, failed: tuple[FailedFile, ...]) -> None:
        self.failed = failed
        self.permanent = all(one.permanent for one in failed)
        super().__init__(message)

    def __reduce__(self) -> tuple[type[FilesFailedError], tuple[str, tuple[FailedFile, ...]]]:
        """Survive pickling: Airflow sends exceptions between processes."""
        return type(self), (str(self), self.failed)


class PlanError(OSSResumeError):
    """Report a plan of an upload over many workers that cannot be carried out.

    Acts: whoever runs the DAG, by clearing the task that the message names.
    """

    permanent = True


class PlanReplacedError(PlanError):
    """Report a plan that a newer one replaced. No action needed: the retry reads the newer plan."""

    permanent = False


class CheckpointError(OSSResumeError):
    """Report a checkpoint that cannot be used or a store that cannot be reached."""


class UploadCancelled(OSSResumeError):
    """Report a stop request. The parts stay in the bucket for the next try."""


class UploadTakenOver(UploadCancelled):
    """Report that a newer try of the task owns the upload. No action needed: the newer try continues."""
