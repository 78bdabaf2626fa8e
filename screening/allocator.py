"""Keep freed memory in the process: giving it back after every step costs more than it saves."""

import ctypes
import platform

# Parameter numbers of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_MEBIBYTE = 2**20


def keep_freed_memory() -> bool:
    """Tell glibc's allocator not to return memory to the system, nor to map large blocks one by one.

    Training and inference allocate and free the same large tensors at every step; with the defaults each is mapped,
    zeroed page by page, and unmapped again.

    Returns
    -------
    bool
        Whether the setting was made; ``False`` where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 * _MEBIBYTE))
    return all(libc.mallopt(parameter, value) == 1 for parameter, value in settings)
