"""Requests for one file on a web server, and what its replies say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from airflow_provider_oss_resume.exceptions import (
    ConfigurationError,
    NoRangesError,
    OSSResumeError,
    SourceChangedError,
    SourceError,
    SourceTruncatedError,
    TransportError,
)
from airflow_provider_oss_resume.oss.http.messages import HTTPRequest
from airflow_provider_oss_resume.oss.http.transport import OpenReply, Transport
from airflow_provider_oss_resume.remote_sources.replied_range import ATTEMPTS
from airflow_provider_oss_resume.sources.source import SIZE_ONLY, Fingerprint

_REDIRECTS = 5
_REDIRECTED = (301, 302, 303, 307, 308)
_MOVED = (401, 403, 404, 410)
_COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".br", ".z", ".svgz")
_UNCHANGED = ("", "identity", "aws-chunked")
"""Content codings that leave the bytes as they are. Some stores keep the last one of how boto3 uploaded the object."""
_LONGEST_WAIT = 60
"""Seconds. If a server asks to wait longer, the try fails, and the next one asks again."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)


class BusyError(TransportError):
    """Report a server that may answer later.

    :param retry_after: seconds that it asks to wait.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class FileDescription:
    """What a server says of a file.

    :param size: bytes.
    :param validator: strong ETag, or else the date of the last change; empty if the server sends neither.
    """

    size: int
    validator: str

    @property
    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the file."""
        # A weak ETag and a date may stay the same while the bytes change (RFC 9110 section 8.8.1).
        return Fingerprint(self.size, self.validator or SIZE_ONLY, strong=self.validator.startswith('"'))


class HTTPRequests:
    """Requests for one file.

    :param shown: URL for messages.
    """

    def __init__(
        self, transport: Transport, shown: str, headers: Mapping[str, str], sleep: Callable[[float], None]
    ) -> None:
        self._transport = transport
        self._headers = headers
        self._sleep = sleep
        self._asked = self._place = ""
        self.shown = shown

    def describe(self, url: str) -> FileDescription:
        """Ask for one byte: unlike HEAD, presigned URLs allow it, and the reply shows whether ranges are supported."""
        self._asked = url
        failures = 0
        while True:
            try:
                return self._describe(url)
            except TransportError as error:
                failures += 1
                self.wait_after(error, failures)

    def _describe(self, url: str) -> FileDescription:
        self._place, reply = self._get(url, {"Range": "bytes=0-0"})
        try:
            if reply.status in (206, 416):  # 416: the file is empty
                return FileDescription(self._total(reply), validator_of(reply))
            if reply.status == 200:
                if reply.headers.get("content-length") == "0":
                    return FileDescription(0, validator_of(reply))
                raise NoRangesError(f"{self.shown}: the server does not support ranges", length_of(reply))
            raise self._error_of(reply)
        finally:
            reply.close()

    def open_whole(self, url: str) -> OpenReply:
        """Return a reply with all bytes."""
        failures = 0
        while True:
            try:
                self._asked = url
                _, reply = self._get(url, {})
                if reply.status == 200:
                    return reply
                reply.close()
                raise self._error_of(reply)
            except TransportError as error:
                failures += 1
                self.wait_after(error, failures)

    def open_range(self, description: FileDescription, first: int, end: int) -> OpenReply:
        """Return a reply with the bytes from ``first`` to ``end``, which is not included."""
        headers = {"Range": f"bytes={first}-{end - 1}"}
        # Without one nothing can be asked for; SIZE_ONLY makes the upload read the file a second time.
        if description.validator:
            headers["If-Range"] = description.validator
        reply = self._get_again(headers)
        try:
            # Compared too, because some servers ignore If-Range.
            same = validator_of(reply) == description.validator
            if reply.status == 206 and same and (_start(reply), self._total(reply)) == (first, description.size):
                return reply
        except BaseException:
            reply.close()
            raise
        reply.close()
        raise self._error_of_range(reply, description, first)

    def _error_of_range(self, reply: OpenReply, description: FileDescription, first: int) -> OSSResumeError:
        if reply.status == 416:
            return SourceTruncatedError(f"{self.shown} ends before byte {first}: it was truncated during the upload")
        sizes = {200: length_of(reply), 206: _total_of(reply)}
        same = description.validator and validator_of(reply) == description.validator
        if same and sizes.get(reply.status) == description.size:  # one of several servers may not have ranges
            return TransportError(f"{self.shown}: the reply to a request for bytes from {first} on has other bytes")
        # 200: If-Range did not match, and the server sends the new file as a whole.
        if reply.status in (200, 206, 412):
            return SourceChangedError(f"{self.shown} changed while it was uploaded")
        return self._error_of(reply)

    def _get_again(self, headers: Mapping[str, str]) -> OpenReply:
        """Request the file at the target of the first redirect; ask the server again if that redirect was temporary."""
        _, reply = self._get(self._place, headers)
        if reply.status in _MOVED and self._place != self._asked:
            reply.close()
            self._place, reply = self._get(self._asked, headers)
        return reply

    def _get(self, url: str, headers: Mapping[str, str]) -> tuple[str, OpenReply]:
        # Compressed, the offsets of a range would be those of other bytes.
        wanted = {"Accept-Encoding": "identity", **self._headers, **headers}
        for _ in range(_REDIRECTS):
            if not _may_know_password(self._asked, url):
                wanted = {name: value for name, value in wanted.items() if name.lower() != "authorization"}
            reply = self._transport.open(HTTPRequest("GET", url, wanted))
            if reply.status not in _REDIRECTED or "location" not in reply.headers:
                self._require_uncompressed(url, reply)
                return url, reply
            reply.close()
            url = self._redirected(url, reply.headers["location"])
        raise ConfigurationError(f"{self.shown} is redirected more than {_REDIRECTS} times")

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urlsplit(urljoin(url, location))
            is_web = (
                target.scheme in ("http", "https") and bool(target.hostname) and target.port != 0
            )  # a port that is no number raises
        except ValueError:
            is_web = False
        if not is_web:
            raise ConfigurationError(f"{self.shown} is redirected to an address that is not a valid http or https URL")
        return target.geturl()

    def _require_uncompressed(self, url: str, reply: OpenReply) -> None:
        """Refuse bytes that a server compressed although it was asked not to: the object would not be the file.

        A file that is compressed itself, such as ``a.csv.gz``, is often sent with this header too.
        """
        coding = reply.headers.get("content-encoding", "").strip().lower()
        if reply.status not in (200, 206) or coding in _UNCHANGED:
            return
        if not urlsplit(url).path.lower().endswith(_COMPRESSED) and not self.shown.lower().endswith(_COMPRESSED):
            reply.close()
            raise ConfigurationError(
                f"{self.shown} is sent with Content-Encoding {coding!r:.20}, although it was requested without: the "
                "object would have the compressed bytes; turn off compression for this path on the server"
            )

    def _total(self, reply: OpenReply) -> int:
        total = reply.headers.get("content-range", "").rpartition("/")[2]
        if total == "*":
            raise NoRangesError(f"{self.shown}: the server does not report the size of the file")
        if not total.isdecimal():
            raise SourceError(f"{self.shown}: the server sends a part of the file and does not report which one")
        return int(total)

    def _error_of(self, reply: OpenReply) -> OSSResumeError:
        said = f"{self.shown} answers HTTP {reply.status}"
        if reply.status in _PASSING:
            return BusyError(said, _retry_after(reply))
        if reply.status in (401, 403):
            return ConfigurationError(f"{said}: check the name and password, or the signature of the URL")
        if reply.status in (404, 410):
            return SourceError(f"{said}: there is no such file now")
        return SourceError(said)

    def wait_after(self, error: Exception, failures: int) -> None:
        """Wait before another attempt; the error's own message may not be shown: its context names the URL.

        :raises SourceError: there were enough attempts. An error that is not the connection's is raised itself.
        """
        if not isinstance(error, TransportError):
            raise error
        wanted = error.retry_after if isinstance(error, BusyError) else 0
        if failures >= ATTEMPTS or wanted > _LONGEST_WAIT:
            later = f"; the server asks to wait {wanted:,} s" if wanted else ""
            raise SourceError(f"{self.shown} cannot be read: {error}{later}") from None
        self._sleep(max(0.1 * 2**failures, wanted))

    def close(self) -> None:
        self._transport.interrupt()
        self._transport.close()


def _may_know_password(first: str, redirected: str) -> bool:
    """Return whether a redirect stays with the host that the password is for, and keeps it encrypted on the way."""
    ours, theirs = urlsplit(first), urlsplit(redirected)
    return theirs.netloc == ours.netloc and theirs.scheme in (ours.scheme, "https")


def validator_of(reply: OpenReply) -> str:
    """Return the strong ETag of a reply, or else the date of the last change."""
    etag = reply.headers.get("etag", "")
    return etag if etag.startswith('"') else reply.headers.get("last-modified", "")


def _total_of(reply: OpenReply) -> int | None:
    total = reply.headers.get("content-range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _retry_after(reply: OpenReply) -> int:
    """Return the seconds that a server asks to wait; a date is not worth reading, and 0 waits as without it."""
    seconds = reply.headers.get("retry-after", "").strip()
    return int(seconds) if seconds.isdecimal() and len(seconds) < 10 else 0


def length_of(reply: OpenReply) -> int | None:
    """Return the bytes of a reply's body, where it tells them."""
    length = reply.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _start(reply: OpenReply) -> int:
    first = reply.headers.get("content-range", "").removeprefix("bytes").strip().partition("-")[0]
    return int(first) if first.isdecimal() else -1
