"""Windows' own API for pipes and this process; empty on other systems."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    # By fd: STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE.
    _STANDARD_HANDLES = (-10, -11, -12)
    _PIPE_NOWAIT = 1
    _LOSSY_PIPE_BYTES = 2**16
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

    _kernel32.CreatePipe.argtypes = (
        wintypes.LPHANDLE,
        wintypes.LPHANDLE,
        wintypes.LPVOID,
        wintypes.DWORD,
    )
    _kernel32.CreatePipe.restype = wintypes.BOOL
    _kernel32.SetNamedPipeHandleState.argtypes = (
        wintypes.HANDLE,
        wintypes.LPDWORD,
        wintypes.LPDWORD,
        wintypes.LPDWORD,
    )
    _kernel32.SetNamedPipeHandleState.restype = wintypes.BOOL

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

    def point_standard_handles() -> None:
        """Make what asks Windows for the standard handles, grandchildren too, get fds 0, 1, 2."""
        for fd, which in enumerate(_STANDARD_HANDLES):
            handle = msvcrt.get_osfhandle(fd)
            if not _kernel32.SetStdHandle(wintypes.DWORD(which & 0xFFFFFFFF), handle):
                raise ctypes.WinError(ctypes.get_last_error())

    def make_lossy_pipe() -> tuple[int, int]:
        """A pipe's ends, to read and to write; what it has no room for is dropped."""
        read_end, write_end = wintypes.HANDLE(), wintypes.HANDLE()
        mode = wintypes.DWORD(_PIPE_NOWAIT)
        if not (
            _kernel32.CreatePipe(
                ctypes.byref(read_end), ctypes.byref(write_end), None, _LOSSY_PIPE_BYTES
            )
            and _kernel32.SetNamedPipeHandleState(write_end, ctypes.byref(mode), None, None)
        ):
            raise ctypes.WinError(ctypes.get_last_error())
        assert read_end.value is not None
        assert write_end.value is not None
        return (
            msvcrt.open_osfhandle(read_end.value, os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT),
            msvcrt.open_osfhandle(write_end.value, os.O_WRONLY | os.O_BINARY | os.O_NOINHERIT),
        )

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
