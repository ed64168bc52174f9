"""Everything this package raises, in one tree.

::

    OSSResumeError
    ├── ConfigurationError            a DAG author or the connection must change; never retried
    ├── TransportError                no usable answer: connect, timeout, reset          (retried)
    │   └── UnknownHostError          no such host name, and the host never answered     (retried for a minute)
    ├── ServiceError                  OSS answered with an error: status, code, EC, request id
    │   ├── ThrottledError            503 of a rate limit, 429; carries retry_after      (retried, slower)
    │   ├── ServerFaultError          5xx, 408, RequestTimeout, 200 with an error body   (retried)
    │   ├── DigestMismatchError       the body OSS received is not the one signed for    (retried)
    │   ├── ClockSkewError            our clock is off; carries the server's             (corrected once, retried)
    │   ├── CredentialsExpiredError   SecurityTokenExpired, InvalidSecurityToken         (refreshed once, retried)
    │   ├── AccessDeniedError         other 403: the RAM policy or the key must change
    │   ├── NotFoundError             404 of a bucket or an object
    │   ├── NoSuchUploadError         404 of an upload id: completed, aborted or expired
    │   ├── AlreadyExistsError        409 of forbid-overwrite: the destination must change
    │   ├── InvalidRequestError       other 400, 405, 411, 413: an option OSS does not take
    │   ├── PartAlreadyExistsError    a sequential upload holds this part and takes no other for it
    │   ├── InvalidPartError          Complete named a part that OSS does not hold
    │   └── CallbackFailedError       203: the object IS stored, its callback failed
    ├── IntegrityError                CRC-64 of our bytes and of OSS disagree            (part: retried)
    ├── SourceError                   the source cannot be read as promised
    │   ├── SourceChangedError        it changed while it was read; the next try sends what differs
    │   └── SourceTruncatedError      it holds fewer bytes than it did; nothing is completed
    ├── CheckpointError               a stored checkpoint is unreadable (handled as lost), or a store fails
    └── UploadCancelled               on_kill or deadline; parts are kept
        └── UploadTakenOver           a newer try owns the upload: this one has no business any more

Each class says who must act. ``permanent`` tells an orchestrator that no retry of
the task can help until a person changes something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class OSSResumeError(Exception):
    """Base of all errors of this package."""

    permanent = False


class ConfigurationError(OSSResumeError):
    """Report an argument or connection setting that cannot work.

    Acts: the DAG author or whoever owns the connection. Raised before the first
    byte is sent wherever that is possible.
    """

    permanent = True


class TransportError(OSSResumeError):
    """Report that no usable answer came from OSS: connect, timeout, reset, cut reply."""


class UnknownHostError(TransportError):
    """Report that there is no host of this name, as far as the name server knows, and that none ever answered.

    Acts: whoever owns the connection, most likely. A retry of the task may still help: name servers fail too.
    """


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What OSS said about a failed request.

    :param status: HTTP status.
    :param code: OSS error code, such as ``NoSuchUpload``; made from the status when a
        proxy answered without XML.
    :param extra: the other elements of the error document (secrets already removed).
    """

    status: int
    code: str
    message: str = ""
    request_id: str = ""
    host_id: str = ""
    ec: str = ""
    operation: str = ""
    resource: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    server_time: float | None = None

    def __str__(self) -> str:
        """Render one line a person can act on and paste into a ticket."""
        facts = [f"HTTP {self.status}"]
        facts += [f"{name} {value}" for name, value in (("EC", self.ec), ("request id", self.request_id)) if value]
        what = f"{self.operation} {self.resource}".strip() or "request"
        said = f"{self.code}: {self.message}" if self.message else self.code
        return f"{what} failed with {said} ({', '.join(facts)})"


class ServiceError(OSSResumeError):
    """Carry an error reply of OSS.

    :param details: what the service said; also readable as attributes ``status``,
        ``code``, ``ec``, ``request_id``, ``host_id``.
    :param advice: what the reader should do about it.
    """

    default_advice = ""

    def __init__(self, details: ErrorDetails, advice: str = "") -> None:
        self.details = details
        self.status = details.status
        self.code = details.code
        self.ec = details.ec
        self.request_id = details.request_id
        self.host_id = details.host_id
        self.advice = advice or self.default_advice
        super().__init__(f"{details}. {self.advice}" if self.advice else str(details))

    def __reduce__(self) -> tuple[type[ServiceError], tuple[ErrorDetails, str]]:
        """Survive pickling: Airflow sends exceptions between processes."""
        return type(self), (self.details, self.advice)


class ThrottledError(ServiceError):
    """Report a rate limit. Acts: nobody, the request is sent again later."""


class ServerFaultError(ServiceError):
    """Report a fault on the service's side. Acts: nobody, the request is sent again."""


class DigestMismatchError(ServiceError):
    """Report InvalidDigest: the bytes arrived changed. Acts: nobody, the part is read and sent again."""


class ClockSkewError(ServiceError):
    """Report that this machine's clock is more than 15 minutes off. Acts: nobody, corrected once."""

    default_advice = "The clock of this machine is wrong: set it by NTP"


class CredentialsExpiredError(ServiceError):
    """Report an STS token that OSS no longer takes. Acts: the credentials provider, once."""

    default_advice = "Renew the STS token of the connection, or use a credentials source that renews it by itself"


class AccessDeniedError(ServiceError):
    """Report a refused request. Acts: whoever owns the RAM policy or the key."""

    permanent = True
    default_advice = "Check the access key of the connection and the RAM policy of its user"


class NotFoundError(ServiceError):
    """Report a bucket or object that does not exist. Acts: the DAG author."""

    permanent = True


class NoSuchUploadError(ServiceError):
    """Report an upload id that OSS does not know (any more). Acts: the resume decision."""


class AlreadyExistsError(ServiceError):
    """Report that the object exists and may not be overwritten. Acts: the DAG author."""

    permanent = True
    default_advice = "Choose another key, or allow to replace the object"


class InvalidRequestError(ServiceError):
    """Report a request that OSS does not take as it is. Acts: the DAG author, or we."""

    permanent = True


class PartAlreadyExistsError(ServiceError):
    """Report that a sequential upload holds a part already. Acts: the uploader, which compares it."""


class InvalidPartError(ServiceError):
    """Report that Complete named a part that OSS does not hold as named. Acts: the uploader."""


class CallbackFailedError(ServiceError):
    """Report that the object is stored but OSS could not call the callback URL. Acts: its owner.

    Permanent, because a retry would find the object complete and call nobody.
    """

    permanent = True
    default_advice = "The object is stored; do not upload it again, mend the callback server"


class IntegrityError(OSSResumeError):
    """Report that our CRC-64 and the one of OSS disagree, with both values."""


class SourceError(OSSResumeError):
    """Report a source that cannot be read. Acts: whoever writes the source."""


class SourceChangedError(SourceError):
    """Report a source that changed while it was uploaded. A retry sends the parts that differ."""


class SourceTruncatedError(SourceError):
    """Report a source with fewer bytes than it had at the start. Nothing is completed."""


class CheckpointError(OSSResumeError):
    """Report a checkpoint that cannot be used or a store that cannot be reached."""


class UploadCancelled(OSSResumeError):
    """Report that the upload was told to stop. The parts stay in the bucket for the next try."""


class UploadTakenOver(UploadCancelled):
    """Report that a newer try of the task owns the upload. Acts: nobody, the newer try goes on."""
