"""How the process of an export shares memory and the interpreter."""

from __future__ import annotations

import contextlib
import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # of <malloc.h>
_LARGE = 4 << 20
_SWITCH_INTERVAL = 0.0005


def keep_memory_flat(*, with_pyarrow: bool) -> None:
    """Give the memory of parts back, in the whole process. A task has its process for itself; other callers may not.

    glibc raises the size from which it gives memory back with the first block that is freed, and keeps later ones for
    itself: an export of ten million rows took 145 MB, and one of a million 113. pyarrow allocates so many large blocks
    that to give each back costs a third of its speed; but its own allocator keeps up to 100 MB more than glibc.

    psycopg 3 holds the interpreter lock between two rows, where psycopg2 gives it away. The threads that send then wait
    the switch interval for each of their 25 steps a part, which by default is longer than it takes to read a part: now
    and then parts piled up, and of ten million rows so many that the peak was 129 MB instead of 104.

    :param with_pyarrow: pyarrow is installed and makes the objects.
    """
    sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL))
    if with_pyarrow:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())
        return
    with contextlib.suppress(AttributeError, OSError, TypeError):  # a C library without it
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
