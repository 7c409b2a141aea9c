"""Signs the program, where the environment has something to sign with.

Windows: ``SIGN_CERTIFICATE``, a .pfx file, and its ``SIGN_PASSWORD``; or ``SIGN_THUMBPRINT``, the
SHA-1 thumbprint of a certificate in the user's store, whose key may lie in a token or with a
service. macOS: ``SIGN_IDENTITY``, which PyInstaller hands to codesign. Linux signs packages, not
programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from build_failed import BuildFailed

_TIMESTAMPS = "http://timestamp.digicert.com"


def mac_identity() -> str | None:
    """The identity for codesign; None elsewhere, and where none is set."""
    return os.environ.get("SIGN_IDENTITY") if sys.platform == "darwin" else None


def sign(bundle: Path) -> None:
    """Sign the program on Windows, or say why it is not signed.

    Raises:
        BuildFailed: there is no signtool, or it could not sign.
    """
    if sys.platform == "darwin":
        print(f"signed by codesign: {mac_identity() or 'ad hoc, as SIGN_IDENTITY is not set'}")
    elif sys.platform != "win32":
        print("not signed: Linux has no signed programs")
    elif not (certificate := _certificate()):
        print("not signed: SIGN_CERTIFICATE names no .pfx file, SIGN_THUMBPRINT no certificate")
    else:
        program = bundle / "speaker-sidecar.exe"
        argv = [_signtool(), "sign", "/fd", "SHA256", "/tr", _TIMESTAMPS, "/td", "SHA256"]
        code = subprocess.run([*argv, *certificate, str(program)], check=False).returncode
        if code != 0:
            # Not the command itself: it has the password.
            raise BuildFailed(
                f"signtool could not sign {program.name} (exit code {code}); what it says is above"
            )


def _certificate() -> list[str]:
    """How signtool is told what to sign with; empty where the environment names nothing."""
    if thumbprint := os.environ.get("SIGN_THUMBPRINT"):
        return ["/sha1", thumbprint]
    if file := os.environ.get("SIGN_CERTIFICATE"):
        password = os.environ.get("SIGN_PASSWORD")
        return ["/f", file, *(["/p", password] if password else [])]
    return []


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
