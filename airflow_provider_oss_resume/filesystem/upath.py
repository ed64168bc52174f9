"""``oss://`` paths of universal-pathlib, registered by an entry point of this package.

universal-pathlib splits ``oss://`` paths by the rules of ossfs, which put a slash before the
bucket; ``ObjectStoragePath.bucket`` would be empty. Here they follow the rules of ``s3://``, whether or
not ossfs is installed.
"""

from __future__ import annotations

import logging

from upath.implementations.cloud import CloudPath

from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem

log = logging.getLogger(__name__)


class OSSPath(CloudPath):
    """A path in OSS; the file system behind it is Airflow's, or that of fsspec's registry."""

    __slots__ = ()


def _use_rules_of_s3() -> None:
    """Let universal-pathlib take the paths apart like those of ``s3://``; it has no public way to say so."""
    from upath import _flavour

    flavour = _flavour.WrappedFileSystemFlavour
    for rule in ("netloc_is_anchor", "supports_empty_parts"):
        flavour.protocol_config[rule].add("oss")
    registered, _flavour.class_registry = _flavour.class_registry, {"oss": OSSFileSystem}
    try:
        flavour.from_protocol.cache_clear()
        flavour.from_protocol("oss")  # is remembered, so that ossfs does not replace it when it is imported
    finally:
        _flavour.class_registry = registered


try:
    _use_rules_of_s3()
except (AttributeError, ImportError, KeyError) as error:
    log.warning("this version of universal-pathlib is not supported (%s): oss:// paths may lose their bucket", error)
