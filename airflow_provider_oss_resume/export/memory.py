"""How the process of an export asks the operating system for memory."""

from __future__ import annotations

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3  # of <malloc.h>
_LARGE = 4 << 20


def keep_memory_flat(*, with_pyarrow: bool) -> None:
    """Give the memory of parts back, in the whole process. A task has its process for itself; other callers may not.

    glibc raises the size from which it gives memory back with the first block that is freed, and keeps later ones for
    itself: an export of ten million rows took 145 MB, and one of a million 113. pyarrow allocates so many large blocks
    that to give each back costs a third of its speed; but its own allocator keeps up to 100 MB more than glibc.

    :param with_pyarrow: pyarrow is installed and makes the objects.
    """
    if with_pyarrow:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):  # a C library without it
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
