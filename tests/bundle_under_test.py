"""Whether ``SIDECAR_ARGV`` names a bundle's program, and which one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sidecar.tools.program import ARGV_VARIABLE, sidecar_argv


def bundle_folder():
    """The bundle's folder; None where the program under test is none of a bundle's."""
    if not os.environ.get(ARGV_VARIABLE):
        return None
    folder = Path(sidecar_argv()[-1]).parent
    return folder if (folder / "manifest.json").is_file() else None


NO_BUNDLE = f"{ARGV_VARIABLE} names no bundle's program"
BUNDLE = bundle_folder()
# Empty where there is no bundle.
MANIFEST = {} if BUNDLE is None else json.loads((BUNDLE / "manifest.json").read_text("utf-8"))
EDITION = MANIFEST.get("edition")
PROGRAM = Path(sidecar_argv()[-1]).name
