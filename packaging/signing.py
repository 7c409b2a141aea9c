"""Signs what runs in a bundle, where the environment has something to sign with.

Windows: ``SIGN_CERTIFICATE``, a .pfx file, and its ``SIGN_PASSWORD``; or ``SIGN_THUMBPRINT``, the
SHA-1 thumbprint of a certificate in the user's store, whose key may lie in a token or with a
service; or ``SIGN_DLIB`` and ``SIGN_METADATA``, the library and the file that lead signtool to
Azure's service. macOS: ``SIGN_IDENTITY``, which PyInstaller hands to codesign for each program and
library. Linux signs packages, not programs.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import space
from build_failed import BuildFailed

_TIMESTAMPS = "http://timestamp.digicert.com"
# Azure's certificates last for three days: its own server vouches for the day of the signature.
_TIMESTAMPS_OF_AZURE = "http://timestamp.acs.microsoft.com"


def mac_identity() -> str | None:
    """The identity for codesign; None elsewhere, and where none is set."""
    return os.environ.get("SIGN_IDENTITY") if sys.platform == "darwin" else None


def sign(bundle: Path) -> None:
    """Sign all programs and libraries on Windows that are not yet, or say why they are not signed.

    Raises:
        BuildFailed: there is no signtool, or it could not sign.
    """
    if sys.platform == "darwin":
        print(f"signed by codesign: {mac_identity() or 'ad hoc, as SIGN_IDENTITY is not set'}")
    elif sys.platform != "win32":
        print("not signed: Linux has no signed programs")
    elif not (how := _how_to_sign()):
        print(
            "not signed: SIGN_CERTIFICATE names no .pfx file, SIGN_THUMBPRINT no certificate, "
            "SIGN_DLIB no library"
        )
    else:
        # Smart App Control loads none that is not signed. Python's and Microsoft's come signed.
        files = [path.relative_to(bundle) for path in space.files_of(bundle) if _is_unsigned(path)]
        argv = [_signtool(), "sign", "/fd", "SHA256", "/td", "SHA256", *how, *map(str, files)]
        code = subprocess.run(argv, cwd=bundle, check=False).returncode
        if code != 0:
            # Not the command itself: it has the password.
            raise BuildFailed(
                f"signtool could not sign {len(files)} files (exit code {code}); what it says is "
                "above"
            )
        print(f"signed: {len(files)} programs and libraries")


def _is_unsigned(path: Path) -> bool:
    r"""Whether this is a program or a library for Windows that carries no signature.

    Source: Microsoft's "PE Format". At 0x3C is the offset of "PE\0\0", which 20 bytes on the
    file follow, and then the optional header. Its data directories are 96 bytes on in 32 bits, and
    112 in 64; the fifth, of 8 bytes each, says where the certificates are and how long.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:2] != b"MZ" or len(head) < 0x40:
        return False
    [start] = struct.unpack_from("<I", head, 0x3C)
    optional = start + 24
    if head[start : start + 4] != b"PE\0\0" or len(head) < optional + 160:
        return False
    [magic] = struct.unpack_from("<H", head, optional)
    certificates = optional + {0x10B: 96, 0x20B: 112}[magic] + 4 * 8
    return not struct.unpack_from("<II", head, certificates)[1]


def _how_to_sign() -> list[str]:
    """What signtool is told to sign with, and whose time; empty: the environment names nothing."""
    if (dlib := _path("SIGN_DLIB")) and (metadata := _path("SIGN_METADATA")):
        return ["/tr", _TIMESTAMPS_OF_AZURE, "/dlib", dlib, "/dmdf", metadata]
    if thumbprint := os.environ.get("SIGN_THUMBPRINT"):
        return ["/tr", _TIMESTAMPS, "/sha1", thumbprint]
    if file := _path("SIGN_CERTIFICATE"):
        password = os.environ.get("SIGN_PASSWORD")
        return ["/tr", _TIMESTAMPS, "/f", file, *(["/p", password] if password else [])]
    return []


def _path(variable: str) -> str | None:
    """The file that a variable names, as a whole path: signtool runs in the bundle."""
    name = os.environ.get(variable)
    return str(Path(name).resolve()) if name else None


def _signtool() -> str:
    """The one on the PATH, else that of the newest Windows SDK, which leaves the PATH alone."""
    found = shutil.which("signtool")
    if found is not None:
        return found
    folder = Path(os.environ.get("PROGRAMFILES(X86)", ""), "Windows Kits", "10", "bin")
    tools = list(folder.glob("10.*/x64/signtool.exe"))
    if not tools:
        raise BuildFailed(
            f"there is no signtool, neither on the PATH nor in {folder}: install the Windows SDK, "
            "of which its signing tools are enough"
        )
    return str(max(tools, key=_sdk_release))


def _sdk_release(tool: Path) -> list[int]:
    """Such as 10.0.26100.0, by the name of the folder."""
    return [int(number) for number in tool.parent.parent.name.split(".") if number.isdecimal()]
