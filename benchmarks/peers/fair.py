"""What must hold for a comparison with the official Python clients to be fair to them."""

from __future__ import annotations

from importlib import import_module


def require_fast_checksums() -> None:
    """Raise unless crcmod, which both clients use, runs with its C extension."""
    # By its module: the package binds its own name over it, in one of the two distributions that bring it.
    if not import_module("crcmod.crcmod")._usingExtension:
        raise RuntimeError("crcmod runs without its C extension: the official clients would look slower than they are")
