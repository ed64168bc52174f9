"""Guess the media type of an object from the ending of its key.

The result is the same on every worker. ``/etc/mime.types`` is not read, and
:data:`_TYPES` names each ending that Python's own table lacks or that changed
between Python 3.10 and 3.14.
"""

from __future__ import annotations

import mimetypes
from functools import lru_cache

UNKNOWN = "application/octet-stream"

_OFFICE = "application/vnd.openxmlformats-officedocument"
_TYPES = {
    # Exports. Parquet, Avro and Arrow are registered; ORC has no registered type.
    ".arrow": "application/vnd.apache.arrow.file",
    ".avro": "application/vnd.apache.avro",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".orc": UNKNOWN,
    ".parquet": "application/vnd.apache.parquet",
    ".sql": "application/sql",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    # Office documents, as oss2 labels them.
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".dotx": f"{_OFFICE}.wordprocessingml.template",
    ".potx": f"{_OFFICE}.presentationml.template",
    ".ppsx": f"{_OFFICE}.presentationml.slideshow",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".sldx": f"{_OFFICE}.presentationml.slide",
    ".xlam": "application/vnd.ms-excel.addin.macroEnabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".xltx": f"{_OFFICE}.spreadsheetml.template",
    ".apk": "application/vnd.android.package-archive",
    # Endings whose type differs between the versions of Python.
    ".7z": "application/x-7z-compressed",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".js": "text/javascript",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".n3": "text/n3",
    ".nq": "application/n-quads",
    ".nt": "application/n-triples",
    ".rst": "text/x-rst",
    ".rtf": "text/rtf",
    ".srt": "text/plain",
    ".trig": "application/trig",
    ".vtt": "text/vtt",
    ".webp": "image/webp",
}
_COMPRESSED = {
    ".br": UNKNOWN,  # Brotli has no registered media type
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".lz4": "application/x-lz4",
    ".lzma": "application/x-lzma",
    ".snappy": "application/x-snappy-framed",
    ".taz": "application/gzip",
    ".tbz2": "application/x-bzip2",
    ".tgz": "application/gzip",
    ".tz": "application/gzip",
    ".txz": "application/x-xz",
    ".tzst": "application/zstd",
    ".xz": "application/x-xz",
    ".z": "application/x-compress",
    ".zst": "application/zstd",
}
"""Endings of compressed files.

The type is that of the compression. Sent as ``text/csv``, the compressed bytes of ``a.csv.bz2``
are shown as text by browsers and decoded as text by SDKs.
"""


def guess_content_type(key: str) -> str:
    """Return the media type that the ending of a key stands for.

    :param key: the object's key; only its last path segment counts, in any case.
    :return: ``application/octet-stream`` where the ending is unknown.
    """
    name = key.rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    ending = dot + suffix if stem else ""  # ".gz" alone is a hidden file without an ending
    return _COMPRESSED.get(ending) or _TYPES.get(ending) or _python_types().get(ending, UNKNOWN)


@lru_cache(maxsize=1)
def _python_types() -> dict[str, str]:
    # An instance and not the module's functions, which read /etc/mime.types of this worker.
    common, standard = mimetypes.MimeTypes().types_map
    return {**common, **standard}
