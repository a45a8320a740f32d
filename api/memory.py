"""How this process keeps the memory of large answers."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT_BYTES = 64 << 20
_LARGEST_BYTES = 32 << 20  # glibc's limit


def keep_freed_memory() -> bool:
    """Let the C library keep up to 64 MB that were freed; gives whether it does so.

    By default glibc maps each large block anew and gives it back, and for an answer of half a megabyte, which is copied five times
    on its way, to fault these pages in costs more than the copies. Other C libraries have no such setting.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    return bool(set_option(_M_MMAP_THRESHOLD, _LARGEST_BYTES) and set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES))
