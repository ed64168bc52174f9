"""What errors carry: the content of an error reply, and the files of a batch that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """Hold the content of an error reply.

    :param status: HTTP status.
    :param code: OSS error code, such as ``NoSuchUpload``; ``HTTP<status>`` if the reply has no error document.
    :param extra: the other elements of the error document, without secrets.
    :param retry_after: seconds that the reply asks to wait.
    :param server_time: epoch seconds by the server's clock.
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
        """Return one line for a log or a support ticket."""
        facts = [f"HTTP {self.status}"]
        facts += [f"{name} {value}" for name, value in (("EC", self.ec), ("request id", self.request_id)) if value]
        request = f"{self.operation} {self.resource}".strip() or "request"
        error = f"{self.code}: {self.message}" if self.message else self.code
        return f"{request} failed with {error} ({', '.join(facts)})"


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that could not be uploaded.

    :param location: path or URL of the source.
    :param reason: message of the error.
    :param permanent: no retry can succeed until a person changes something.
    """

    location: str
    reason: str
    permanent: bool = False
