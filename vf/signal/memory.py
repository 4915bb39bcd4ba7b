"""Memory that each step of a training frees, and the next step asks for again."""

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # of glibc's mallopt
KEPT = 2**30  # bytes at the end of the heap beyond which they go back to the system


def keep_freed() -> bool:
    """From here on the C library keeps what is freed for the next request; where it is not glibc, nothing changes.

    glibc otherwise takes every array above some size from the system and gives it back, and the system wipes each page
    at its first use: a third of a step of `end_to_end.train`. Returns whether it is so.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and all(mallopt(*p) for p in ((MMAP_MAX, 0), (TRIM_THRESHOLD, KEPT), (TOP_PAD, 2**26)))
