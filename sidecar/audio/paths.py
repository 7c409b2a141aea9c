"""Which files a host may name, and how they are opened.

A path may come from a web page in the host's renderer: it must not reach a network share (Windows
sends credentials there), a device, or a file outside of the root.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import posixpath
import re
import stat
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

from protocol.errors import BadAudio
from sidecar.config import PathRoot
from sidecar.long_path import of_any_length

if sys.platform == "win32":
    from sidecar.audio.windows_final_path import final_path

# Windows allows the longest paths.
_MAX_PATH_CHARS = 32_767

# \\server, //server, \\?\ and \\.\ of Win32, \??\ of the NT kernel.
_UNC_PREFIX = re.compile(r"[\\/]{2}|\\\?\?\\")
_IMPOSSIBLE_CHAR_ON_WINDOWS = re.compile("[\\0\\ud800-\\udfff]")
# There U+DC80 to U+DCFF stand for bytes that are no UTF-8: see PEP 383.
_IMPOSSIBLE_CHAR_ON_POSIX = re.compile("[\\0\\ud800-\\udc7f\\udd00-\\udfff]")
# What Windows puts before a long path that it resolved, if it is on a drive.
_LONG_PATH_PREFIX = re.compile(r"^\\\\\?\\(?=[A-Za-z]:\\)")
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
# Devices in every folder, with any extension.
_WINDOWS_DEVICE = re.compile(r"CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³]", re.IGNORECASE)

_KINDS_BY_ERRNO = {
    errno.ENOENT: "path_not_found",
    errno.ENOTDIR: "path_not_found",
    errno.ENAMETOOLONG: "path_invalid",
    errno.EINVAL: "path_invalid",
    errno.ELOOP: "path_invalid",
}


def open_audio_path(path: str, root: PathRoot) -> io.BufferedReader:
    """Open an audio file that a host named.

    Args:
        path: absolute, of a regular file; symlinks are followed.
        root: which files may be named; a folder's own symlinks are followed too.

    Raises:
        BadAudio: ``path_not_allowed``, ``path_outside_root``, ``path_not_found``,
            ``path_not_file``, ``path_unreadable``, and what ``check_spelling`` raises.
    """
    if root == "none":
        raise BadAudio(
            "files may not be named here (--path-root none): send the file's bytes",
            kind="path_not_allowed",
        )
    check_spelling(path, windows=sys.platform == "win32")
    try:
        folder = None if root == "any" else os.path.realpath(root)
        # Where a link leads to a share, this asks its server: Windows resolves by opening. Only who
        # may make links on this disk can choose that server, not who names paths.
        target = os.path.realpath(of_any_length(path))
        check_target(path, target, folder, windows=sys.platform == "win32")
        # A FIFO or a device can block or act when it is opened, so the check comes first; and
        # again for what was opened, as the name may point elsewhere by now.
        _check_regular(path, Path(target).stat())
        opener = functools.partial(_open_target, folder)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(target, "rb", opener=opener))
            _check_regular(path, os.fstat(file.fileno()))
            if sys.platform == "win32" and folder is not None:
                check_target(path, final_path(file.fileno()), folder, windows=True)
            stack.pop_all()
            return file
    except OSError as error:
        raise translate_os_error(path, error) from error


def check_spelling(path: str, *, windows: bool) -> None:
    """Refuse a path that should not even be looked up, by the rules of Windows or of POSIX.

    Raises:
        BadAudio: ``path_invalid``, ``path_unc``, ``path_device``, ``path_relative``.
    """
    if len(path) > _MAX_PATH_CHARS:
        raise _refusal(
            "path_invalid", path, f"has {len(path)} characters: {_MAX_PATH_CHARS} at most"
        )
    impossible = _IMPOSSIBLE_CHAR_ON_WINDOWS if windows else _IMPOSSIBLE_CHAR_ON_POSIX
    if impossible.search(path):
        raise _refusal("path_invalid", path, "has a NUL or half a surrogate pair in it")
    if _UNC_PREFIX.match(path):
        raise _refusal(
            "path_unc",
            path,
            "names a network share or a device: copy the file to a local drive, or send its bytes",
        )
    if windows:
        _check_windows_spelling(path)
        return
    if not path.startswith("/"):
        raise _refusal("path_relative", path, "is not absolute")
    if posixpath.normpath(path).startswith("/dev/"):
        raise _refusal("path_device", path, "names a device")


def check_target(path: str, target: str, root: str | None, *, windows: bool) -> None:
    """Refuse ``path`` for the file it leads to, by the rules of Windows or of POSIX.

    Args:
        path: as the host sent it.
        target: the file's own path, resolved by the system.
        root: the folder in which it must lie, resolved likewise; None: anywhere.
        windows: whose rules; there a link or a drive's letter can stand for a network share.

    Raises:
        BadAudio: ``path_outside_root``; on Windows also what ``check_spelling`` raises.
    """
    flavour = PureWindowsPath if windows else PurePosixPath
    plain_target = _LONG_PATH_PREFIX.sub("", target)
    if root is not None:
        plain_root = _LONG_PATH_PREFIX.sub("", root)
        if not flavour(plain_target).is_relative_to(flavour(plain_root)):
            raise _refusal("path_outside_root", path, f"lies outside of {root!r} (--path-root)")
    if windows:
        try:
            check_spelling(plain_target, windows=True)
        except BadAudio as error:
            raise _refusal(
                error.kind,
                path,
                "leads to a network share, a device or a file's side stream: copy the file to a "
                "local drive, or send its bytes",
            ) from error


def translate_os_error(path: str, error: OSError) -> BadAudio:
    """The refusal of a path that the operating system does not open or read."""
    kind = _KINDS_BY_ERRNO.get(error.errno or 0, "path_unreadable")
    return _refusal(kind, path, f"cannot be read: {error.strerror or error}")


def _check_windows_spelling(path: str) -> None:
    for part in re.split(r"[\\/]", path):
        # Windows ignores spaces before an extension or a colon, and what follows either.
        if _WINDOWS_DEVICE.fullmatch(re.split(r"[.:]", part)[0].rstrip(" ")):
            raise _refusal("path_device", path, f"names the device {part!r}")
    if not _WINDOWS_DRIVE.match(path):
        raise _refusal("path_relative", path, "is not absolute: it must begin with a drive (C:\\)")
    if ":" in path[2:]:
        raise _refusal("path_invalid", path, "has a colon after the drive's (a file's side stream)")


def _check_regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = "folder" if stat.S_ISDIR(status.st_mode) else "FIFO, a socket or a device"
        raise _refusal("path_not_file", path, f"is not a file but a {what}")


def _open_target(root: str | None, target: str, flags: int) -> int:
    """Open a resolved path without waiting; no link that came after that is followed below root.

    Windows knows no such flags: there what was opened is checked.
    """
    if sys.platform == "win32":
        return os.open(target, flags)
    flags |= os.O_NONBLOCK | os.O_NOFOLLOW
    if root is None:
        return os.open(target, flags)
    *parts, name = os.path.relpath(target, root).split("/")
    # O_PATH, where there is one, needs no permission to list the folders.
    folder_flags = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
    folder = os.open(root, folder_flags)
    try:
        for part in parts:
            parent, folder = folder, os.open(part, folder_flags, dir_fd=folder)
            os.close(parent)
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _refusal(kind: str, path: str, fault: str) -> BadAudio:
    return BadAudio(f"the path {path!r:.300} {fault}", kind=kind)
