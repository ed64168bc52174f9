"""Percent-encoding of URLs, as OSS signs it."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote as _percent_encode


@lru_cache(maxsize=256)  # every request of an upload has the same names, key and upload id
def quote(text: str, safe: str = "") -> str:
    """Percent-encode UTF-8. Letters, digits and ``-_.~`` stay as they are.

    :param safe: further characters that stay as they are.
    """
    return _percent_encode(text, safe=safe)
