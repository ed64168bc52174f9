"""The error replies of OSS: status, code, message, EC number and the extra elements of each.

Codes, messages and EC numbers are those of oss-protocol.md section 3; where the
real number is not known the reply has none, rather than an invented one.
"""

from __future__ import annotations

from collections.abc import Mapping


class OSSError(Exception):
    """Stop an operation and answer with OSS's XML error.

    :param ec: the error's EC number, such as ``0042-00000104``.
    :param extras: further elements of the XML, in order.
    :param headers: further headers of the reply.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        ec: str = "",
        extras: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.ec = ec
        self.extras = dict(extras or {})
        self.headers = dict(headers or {})


def invalid_argument(message: str, name: str = "", value: str = "", ec: str = "") -> OSSError:
    """Return the 400 that names the argument it refuses."""
    extras = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return OSSError(400, "InvalidArgument", message, ec, extras)


def access_denied(message: str, ec: str = "0003-00000001", extras: Mapping[str, str] | None = None) -> OSSError:
    """Return the 403 of a request that is understood and not allowed."""
    return OSSError(403, "AccessDenied", message, ec, extras)


def no_such_bucket(bucket: str) -> OSSError:
    """Return the 404 for a bucket that does not exist."""
    message = "The specified bucket does not exist."
    return OSSError(404, "NoSuchBucket", message, "0015-00000101", {"BucketName": bucket})


def no_such_key(key: str) -> OSSError:
    """Return the 404 for an object that does not exist."""
    return OSSError(404, "NoSuchKey", "The specified key does not exist.", "0026-00000001", {"Key": key})


def no_such_upload(upload_id: str, ec: str = "0042-00000002") -> OSSError:
    """Return the 404 for an upload that was completed, aborted or never begun."""
    message = (
        "The specified upload does not exist. The upload ID may be invalid, "
        "or the upload may have been aborted or completed."
    )
    return OSSError(404, "NoSuchUpload", message, ec, {"UploadId": upload_id})


def file_already_exists(key: str) -> OSSError:
    """Return the 409 that ``x-oss-forbid-overwrite: true`` asks for."""
    message = "The object you specified already exists and can not be overwritten."
    return OSSError(409, "FileAlreadyExists", message, "", {"Key": key})


def invalid_digest(message: str = "The Content-MD5 you specified was invalid.", ec: str = "") -> OSSError:
    """Return the 400 for a body that is not the one ``Content-MD5`` describes."""
    return OSSError(400, "InvalidDigest", message, ec)


def malformed_xml(ec: str = "0042-00000205") -> OSSError:
    """Return the 400 for a request body that is not the XML the operation takes."""
    message = "The XML you provided was not well-formed or did not validate against our published schema."
    return OSSError(400, "MalformedXML", message, ec)


def not_implemented(what: str) -> OSSError:
    """Return the 400 for what this server does not have; the message says that it is local."""
    message = f"A header or query you provided implies functionality that the dev server has not: {what}."
    return OSSError(400, "NotImplemented", message)


def entity_too_large(proposed: int, allowed: int) -> OSSError:
    """Return the 400 for a body over the operation's limit."""
    extras = {"MaxSizeAllowed": str(allowed), "ProposedSize": str(proposed)}
    return OSSError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", "", extras)
