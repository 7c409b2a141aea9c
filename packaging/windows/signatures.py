"""Whose a Windows binary is, and whether it is as it was signed (Authenticode)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lane_failed import LaneFailed

PYTHON = "Python Software Foundation"
MICROSOFT = "Microsoft"
NODE = "OpenJS Foundation"


def require_signature(files: Iterable[Path], signer: str) -> None:
    """See that ``signer`` signed each of these files, and that none was changed since.

    Python's certificates must come from one that Debian trusts. Those of the others come from
    Microsoft's own, which Debian does not list: there the pinned hash of the package has to do.

    Raises:
        LaneFailed: at the first of which that is not so.
    """
    for file in files:
        told = _told(file)
        subject = re.compile(rf"Subject:.*\b{re.escape(signer)}\b")
        if not subject.search(told):
            raise LaneFailed(f"{file} is not signed by {signer}")
        digests = [
            re.search(rf"^{kind} message digest *: ([0-9A-F]+) *$", told, re.MULTILINE)
            for kind in ("Current", "Calculated")
        ]
        if None in digests or len({digest[1] for digest in digests if digest}) != 1:
            raise LaneFailed(f"{file} was changed after {signer} had signed it")
        if signer == PYTHON and "Signature verification: ok" not in told:
            raise LaneFailed(f"{file}: no chain of certificates that Debian trusts")


def _told(file: Path) -> str:
    command = ["osslsigncode", "verify"]
    known = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    # Without it, newer ones would fetch the lists of withdrawn certificates.
    if "-ignore-crl" in known.stdout + known.stderr:
        command.append("-ignore-crl")
    return subprocess.run(
        [*command, "-in", str(file)], capture_output=True, text=True, check=False
    ).stdout
