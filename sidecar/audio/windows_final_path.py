"""Where an open file really lies, by Windows' own API; empty on other systems."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    # The longest path, with the NUL at its end.
    _MAX_CHARS = 32_768

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.GetFinalPathNameByHandleW.argtypes = (
        wintypes.HANDLE,
        wintypes.LPWSTR,
        wintypes.DWORD,
        wintypes.DWORD,
    )
    _kernel32.GetFinalPathNameByHandleW.restype = wintypes.DWORD

    def final_path(fd: int) -> str:
        r"""The path of the file ``fd`` without links, as ``\\?\C:\...`` or ``\\?\UNC\...``.

        Raises:
            OSError: Windows cannot tell; some drivers of virtual drives give no letters.
        """
        buffer = ctypes.create_unicode_buffer(_MAX_CHARS)
        handle = msvcrt.get_osfhandle(fd)
        n_chars = _kernel32.GetFinalPathNameByHandleW(handle, buffer, _MAX_CHARS, 0)
        if not 0 < n_chars < _MAX_CHARS:
            raise ctypes.WinError(ctypes.get_last_error())
        return buffer.value
