"""Every check of the project, in one command: ``python packaging/check.py``.

Formatting, lint, types (for Linux, macOS and Windows), the tests with the branch coverage of the
contract. It stops at the first that fails. Arguments go to pytest.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
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


def main(pytest_arguments: list[str]) -> int:
    """Run the checks; the exit code of the first that failed, or 0."""
    for check in (*CHECKS, [*TESTS, *pytest_arguments]):
        print(f"$ python -m {shlex.join(check)}", flush=True)
        started_at = time.monotonic()
        code = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False).returncode
        print(f"({time.monotonic() - started_at:.0f} s)\n", flush=True)
        if code:
            return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
