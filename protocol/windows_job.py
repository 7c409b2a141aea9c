"""Windows' job objects, with which both sides see to it that no process outlives its host.

Empty on other systems. Source: learn.microsoft.com, "Job Objects" and "Nested Jobs" (in a job that
is in another one, as many an app's processes are, it works since Windows 8).
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # winnt.h; "SetInformationJobObject function", "Process Security and Access Rights".
    _JOB_OBJECT_EXTENDED_LIMIT_INFORMATION = 9
    _JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
    _PROCESS_TERMINATE, _PROCESS_SET_QUOTA = 0x0001, 0x0100

    class _BasicLimits(ctypes.Structure):
        """``JOBOBJECT_BASIC_LIMIT_INFORMATION``."""

        _fields_ = (
            ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
            ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION``."""

        _fields_ = (
            ("BasicLimitInformation", _BasicLimits),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
    _kernel32.CreateJobObjectW.restype = wintypes.HANDLE
    _kernel32.SetInformationJobObject.argtypes = (
        wintypes.HANDLE,
        ctypes.c_int,
        wintypes.LPVOID,
        wintypes.DWORD,
    )
    _kernel32.SetInformationJobObject.restype = wintypes.BOOL
    _kernel32.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    _kernel32.OpenProcess.restype = wintypes.HANDLE
    _kernel32.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
    _kernel32.AssignProcessToJobObject.restype = wintypes.BOOL
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
    _kernel32.CloseHandle.restype = wintypes.BOOL

    class Job:
        """Processes, and all that they start from now on, which end when this process does.

        Windows ends them when the job's last handle is closed. This process has the only one, which
        nobody inherits, so it does not matter what ends it.

        Raises:
            OSError: Windows does not allow it.
        """

        def __init__(self) -> None:
            limits = _ExtendedLimits()
            limits.BasicLimitInformation.LimitFlags = _JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
            # "CreateJobObjectW function": without attributes its handle is not inherited.
            self._handle: int | None = _checked(_kernel32.CreateJobObjectW(None, None))
            # Children can leave a job only where it says so, and this one does not.
            _checked(
                _kernel32.SetInformationJobObject(
                    self._handle,
                    _JOB_OBJECT_EXTENDED_LIMIT_INFORMATION,
                    ctypes.byref(limits),
                    ctypes.sizeof(limits),
                )
            )

        def add(self, pid: int) -> None:
            """Take in a process that runs.

            Raises:
                OSError: it has ended, or Windows does not allow it.
            """
            # "AssignProcessToJobObject function" asks for these two rights.
            access = _PROCESS_SET_QUOTA | _PROCESS_TERMINATE
            process = _checked(_kernel32.OpenProcess(access, False, pid))
            try:
                _checked(_kernel32.AssignProcessToJobObject(self._handle, process))
            finally:
                _kernel32.CloseHandle(process)

        def close(self) -> None:
            """End what is left of them."""
            handle, self._handle = self._handle, None
            if handle is not None:
                _kernel32.CloseHandle(handle)

    def _checked(result: int | None) -> int:
        """A handle, or a BOOL: 0 and None say that a call failed."""
        if not result:
            raise ctypes.WinError(ctypes.get_last_error())
        return result
