"""Signs the program, where the environment has something to sign with.

Windows: ``SIGN_CERTIFICATE``, a .pfx file, and its ``SIGN_PASSWORD``; signtool on the PATH.
macOS: ``SIGN_IDENTITY``, which PyInstaller hands to codesign. Linux signs packages, not programs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_TIMESTAMPS = "http://timestamp.digicert.com"


def mac_identity() -> str | None:
    """The identity for codesign; None elsewhere, and where none is set."""
    return os.environ.get("SIGN_IDENTITY") if sys.platform == "darwin" else None


def sign(bundle: Path) -> None:
    """Sign the program on Windows, or say why it is not signed."""
    certificate = os.environ.get("SIGN_CERTIFICATE")
    if sys.platform == "darwin":
        print(f"signed by codesign: {mac_identity() or 'ad hoc, as SIGN_IDENTITY is not set'}")
    elif sys.platform != "win32":
        print("not signed: Linux has no signed programs")
    elif not certificate:
        print("not signed: SIGN_CERTIFICATE names no .pfx file")
    else:
        argv = ["signtool", "sign", "/fd", "SHA256", "/tr", _TIMESTAMPS, "/td", "SHA256"]
        argv += ["/f", certificate, "/p", os.environ.get("SIGN_PASSWORD", "")]
        subprocess.run([*argv, str(bundle / "speaker-sidecar.exe")], check=True)
