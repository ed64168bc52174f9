"""The error replies of OSS: status, code, message, EC number and further elements.

Codes, messages and EC numbers are those of the real service. A reply whose EC number
is not known carries none.
"""

from __future__ import annotations

from collections.abc import Mapping


class OSSError(Exception):
    """Stop an operation and reply with OSS's XML error.

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
    """Return the 403 of a request that is not allowed."""
    return OSSError(403, "AccessDenied", message, ec, extras)


def public_endpoint_forbidden() -> OSSError:
    """Return the 400 for a data call on a default public endpoint, where an account may use custom domains only."""
    message = "Not allowed using the OSS public endpoint , please use CNAME instead."  # OSS's own spelling
    return OSSError(400, "PublicEndpointForbidden", message, "0048-00000401")


def no_such_bucket(bucket: str) -> OSSError:
    """Return the 404 for a bucket that does not exist."""
    message = "The specified bucket does not exist."
    return OSSError(404, "NoSuchBucket", message, "0015-00000101", {"BucketName": bucket})


def no_such_key(key: str) -> OSSError:
    """Return the 404 for an object that does not exist."""
    return OSSError(404, "NoSuchKey", "The specified key does not exist.", "0026-00000001", {"Key": key})


def no_such_upload(upload_id: str, ec: str = "0042-00000002") -> OSSError:
    """Return the 404 for an upload that was completed, aborted or never initiated."""
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
    """Return the 400 for a body that does not match ``Content-MD5``."""
    return OSSError(400, "InvalidDigest", message, ec)


def malformed_xml(ec: str = "0042-00000205") -> OSSError:
    """Return the 400 for a request body that is not the XML document of the operation."""
    message = "The XML you provided was not well-formed or did not validate against our published schema."
    return OSSError(400, "MalformedXML", message, ec)


def not_implemented(what: str) -> OSSError:
    """Return the 400 for a feature that the dev server does not have; the message names the feature."""
    return OSSError(400, "NotImplemented", f"The dev server does not implement this feature of OSS: {what}.")


def entity_too_large(proposed: int, allowed: int) -> OSSError:
    """Return the 400 for a body over the operation's limit."""
    extras = {"MaxSizeAllowed": str(allowed), "ProposedSize": str(proposed)}
    return OSSError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", "", extras)
