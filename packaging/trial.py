"""Starts what was built as a user's machine does: no Python, no variables, no home, read-only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_LIMIT_S = 300
# Without these Windows starts no program.
_KEPT_VARIABLES = ("SYSTEMROOT", "TEMP", "TMP") if sys.platform == "win32" else ()


def try_out(bundle: Path) -> str:
    """Have ``doctor`` embed on each device; a line that tells how it went.

    Raises:
        SystemExit: it does not serve; the message has its reason.
    """
    program = bundle / f"speaker-sidecar{'.exe' if sys.platform == 'win32' else ''}"
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            # No folder can be made below a file, so nothing can be kept.
            [str(program), "doctor", "--json"],
            env={**environment, "SPEAKER_SIDECAR_MODELS_DIR": str(bundle / "manifest.json")},
            cwd=elsewhere,
            capture_output=True,
            encoding="utf-8",
            timeout=_LIMIT_S,
            check=False,
        )
    if done.returncode != 0:
        raise SystemExit(f"the bundle does not serve:\n{done.stdout}\n{done.stderr}")
    report = json.loads(done.stdout)
    return "\n".join(
        f"{report['tried_model']} on {device['device']}: ready after {device['start_s']} s, "
        f"{device['embed_ms']} ms for a second of audio"
        for device in report["devices"]
    )
