"""Windows' own API for pipes and this process; empty on other systems."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _STD_INPUT_HANDLE = -10
    _STD_OUTPUT_HANDLE = -11
    _BELOW_NORMAL_PRIORITY_CLASS = 0x4000

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.SetStdHandle.argtypes = (wintypes.DWORD, wintypes.HANDLE)
    _kernel32.SetStdHandle.restype = wintypes.BOOL
    _kernel32.PeekNamedPipe.argtypes = (
        wintypes.HANDLE,
        wintypes.LPVOID,
        wintypes.DWORD,
        wintypes.LPVOID,
        wintypes.LPVOID,
        wintypes.LPVOID,
    )
    _kernel32.PeekNamedPipe.restype = wintypes.BOOL

    _kernel32.GetCurrentProcess.restype = wintypes.HANDLE
    _kernel32.TerminateProcess.argtypes = (wintypes.HANDLE, wintypes.UINT)
    _kernel32.TerminateProcess.restype = wintypes.BOOL
    _kernel32.SetPriorityClass.argtypes = (wintypes.HANDLE, wintypes.DWORD)
    _kernel32.SetPriorityClass.restype = wintypes.BOOL

    def lower_priority() -> None:
        """Put this process below the usual priority; what it starts inherits that."""
        process = _kernel32.GetCurrentProcess()
        if not _kernel32.SetPriorityClass(process, _BELOW_NORMAL_PRIORITY_CLASS):
            raise ctypes.WinError(ctypes.get_last_error())

    def end_process(exit_code: int) -> None:
        """End this process at once; the libraries in it are not told.

        Source: learn.microsoft.com, "Terminating a Process". ``os._exit`` calls each library's end
        there, and one may wait for a lock of a thread that is gone by then.
        """
        _kernel32.TerminateProcess(_kernel32.GetCurrentProcess(), exit_code)

    def make_binary(fd: int) -> None:
        """Stop the C library from translating line ends and from taking Ctrl-Z for the end."""
        msvcrt.setmode(fd, os.O_BINARY)

    def point_standard_handles_at(input_fd: int, output_fd: int) -> None:
        """Make what asks Windows for the standard handles, grandchildren too, get these."""
        for which, fd in ((_STD_INPUT_HANDLE, input_fd), (_STD_OUTPUT_HANDLE, output_fd)):
            handle = msvcrt.get_osfhandle(fd)
            if not _kernel32.SetStdHandle(wintypes.DWORD(which & 0xFFFFFFFF), handle):
                raise ctypes.WinError(ctypes.get_last_error())

    def bytes_in_pipe(fd: int) -> int:
        """How many bytes wait in the pipe ``fd``, found without reading from it.

        Source: learn.microsoft.com, "PeekNamedPipe function". While another thread reads from the
        pipe and waits, so does this.

        Raises:
            BrokenPipeError: none, and its other end is closed.
            OSError: it is no pipe.
        """
        n_bytes = wintypes.DWORD()
        handle = msvcrt.get_osfhandle(fd)
        if not _kernel32.PeekNamedPipe(handle, None, 0, None, ctypes.byref(n_bytes), None):
            raise ctypes.WinError(ctypes.get_last_error())
        return n_bytes.value
