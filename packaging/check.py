"""Every check of the project, in one command: ``python packaging/check.py``.

Formatting, lint, types (for Linux, macOS and Windows), the Node client's tests where Node is there,
the tests with the branch coverage of the contract. It stops at the first that fails. Arguments go
to pytest.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

CHECKS = (
    ["ruff", "format", "--check"],
    ["ruff", "check"],
    ["mypy", "--platform", "linux"],
    ["mypy", "--platform", "darwin"],
    ["mypy", "--platform", "win32"],
)
TESTS = ["pytest", "--cov=protocol", "--cov-report=term", "--cov-fail-under=100"]

MIN_NODE = 18
NODE_CLIENT = ROOT / "protocol" / "node"
NODE_CHECKS = (
    (NODE_CLIENT, ["ci", "--no-audit", "--no-fund", "--loglevel=error"]),
    (NODE_CLIENT, ["test"]),
    (ROOT / "packaging" / "electron-example", ["test"]),
)


def main(pytest_arguments: list[str]) -> int:
    """Run the checks; the exit code of the first that failed, or 0."""
    python = [sys.executable, "-m"]
    for check in CHECKS:
        if code := run([*python, *check], shown=f"python -m {shlex.join(check)}"):
            return code
    npm = shutil.which("npm")
    reason = reason_to_skip_node() if npm else "npm is not installed"
    if npm is not None and reason is None:
        for folder, check in NODE_CHECKS:
            shown = f"npm --prefix {folder.relative_to(ROOT).as_posix()} {shlex.join(check)}"
            if code := run([npm, *check], folder, shown=shown):
                return code
    tests = [*TESTS, *pytest_arguments]
    code = run([*python, *tests], shown=f"python -m {shlex.join(tests)}")
    if reason is not None:
        print(f"SKIPPED the Node client's tests: {reason}", flush=True)
    return code


def run(command: Sequence[str], folder: Path = ROOT, *, shown: str) -> int:
    """Run one check and say how long it took; its exit code."""
    print(f"$ {shown}", flush=True)
    started_at = time.monotonic()
    # The Node tests start the sidecar with this Python.
    environment = {**os.environ, "PYTHON": sys.executable}
    code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    print(f"({time.monotonic() - started_at:.0f} s)\n", flush=True)
    return code


def reason_to_skip_node() -> str | None:
    """Why the Node client cannot be tested here; None where it can."""
    node = shutil.which("node")
    if node is None:
        return "Node is not installed"
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)", told)
    if version is None or int(version[1]) < MIN_NODE:
        return f"it needs Node {MIN_NODE} or later, and this is {told.strip() or 'unknown'}"
    return None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
