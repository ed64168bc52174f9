"""Check that a comparison with the official Python clients is fair."""

from __future__ import annotations

from importlib import import_module


def require_fast_checksums() -> None:
    """Raise unless crcmod, which both clients use, runs with its C extension."""
    # Imported by path: one of the two distributions of crcmod hides the module behind a function of the same name.
    if not import_module("crcmod.crcmod")._usingExtension:
        raise RuntimeError("crcmod runs without its C extension: the official clients would look slower than they are")
