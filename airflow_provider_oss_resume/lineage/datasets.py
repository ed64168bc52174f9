"""What a task read and wrote, as values; the names are those of OpenLineage's naming rules.

https://openlineage.io/docs/spec/naming: an object store is the namespace ``scheme://bucket`` with the key as name, a
local file the namespace ``file`` with its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.lineage.assets import object_uri
from airflow_provider_oss_resume.sources.local_path import is_local, local_path


@dataclass(frozen=True, slots=True)
class Dataset:
    """Describe a file, an object, or the objects under a prefix.

    :param size: bytes; ``None`` where not known, like ``rows`` and ``files``.
    :param columns: name and type of each column; none where not known.
    """

    namespace: str
    name: str
    size: int | None = None
    rows: int | None = None
    files: int | None = None
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """Say what a try reads and writes.

    :param deleted: objects that are gone after it.
    """

    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    deleted: tuple[Dataset, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """Describe something that a task wrote, for the events of its outlets.

    :param uri: of its asset.
    :param facts: plain values for the extra of the event.
    """

    uri: str
    facts: Mapping[str, Any] = field(default_factory=dict)


_OBJECT_FACTS = ("bucket", "key", "size", "crc64", "etag", "parts", "rows")


def written_object(values: Mapping[str, Any]) -> Written:
    """Return an object that was written.

    :param values: as they go to XCom; ``bucket`` and ``key`` are needed.
    """
    facts = {name: values[name] for name in _OBJECT_FACTS if values.get(name) is not None}
    return Written(object_uri(values["bucket"], values["key"]), facts)


def object_dataset(bucket: str, key: str, size: int | None = None) -> Dataset:
    """Return an object of OSS, or the objects under a prefix."""
    return Dataset(f"oss://{bucket}", key or "/", size)


def dataset_of(location: str, size: int | None = None) -> Dataset:
    """Return what a path or URL names, without user info and query of the URL: they may be secrets."""
    if is_local(location):
        try:
            return Dataset("file", local_path(location), size)
        except ConfigurationError:  # such as file:// with a host, or a URL with one slash; the task refuses it
            return Dataset("file", _without_query(location).rpartition("@")[2], size)
    web = location.lower().startswith(("http://", "https://"))
    scheme, _, rest = (_without_query(location) if web else location).partition("://")
    host, _, name = rest.partition("/")
    return Dataset(f"{scheme.lower()}://{host.rpartition('@')[2]}", (f"/{name}" if web else name) or "/", size)


def _without_query(url: str) -> str:
    return url.partition("?")[0].partition("#")[0]
