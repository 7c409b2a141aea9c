"""Every check of the project, in one command: ``python packaging/check.py``.

Formatting, lint, types (for Linux, macOS and Windows), the Node client's tests where Node is there,
the tests with the branch coverage of the contract. It stops at the first that fails.

With ``--fast`` it runs only the lint, the types, and the unit and protocol tests. Further arguments
go to pytest. ``--windows`` runs instead what has to do with Windows, on a Debian 12, under Wine,
which it installs (windows/lane.py); further arguments go there. ``--bundle`` builds instead the
bundle for this system and its packages for npm twice, sees that they are the same, and runs the
end-to-end tests against them; it needs the extra "build", and further arguments go to pytest.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = ("linux", "darwin", "win32")

MIN_NODE = 18
NODE_CLIENT = ROOT / "protocol" / "node"
NODE_CHECKS = (
    (NODE_CLIENT, ["ci", "--no-audit", "--no-fund", "--loglevel=error"]),
    (NODE_CLIENT, ["test"]),
    (ROOT / "packaging" / "electron-example", ["test"]),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One command; ``shown`` is how a person would type it in the project's folder."""

    command: Sequence[str]
    shown: str
    folder: Path = ROOT
    variables: Mapping[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Run the checks; the exit code of the first that failed, or 0."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    fast = "run only what takes less than two minutes"
    parser.add_argument("--fast", action="store_true", help=fast)
    windows = "run the Windows lane instead; it installs Wine, if this is root's Debian 12"
    parser.add_argument("--windows", action="store_true", help=windows)
    bundle = "build twice instead, compare, and test the bundle and its packages for npm"
    parser.add_argument("--bundle", action="store_true", help=bundle)
    options, further = parser.parse_known_args(arguments)
    if options.windows:
        return run(windows_lane(further))
    if options.bundle:
        return run_all(bundle_checks(further))
    npm = None if options.fast else shutil.which("npm")
    reason = reason_to_skip_node() if npm else "npm is not installed"
    checks = [*lint_and_types()]
    if npm is not None and reason is None:
        checks += node_checks(npm)
    checks.append(tests(further, fast=options.fast))
    if options.fast:
        left_out = "the Node client's, the model and the end-to-end tests"
        return run_all(checks, f"Left out because of --fast: {left_out}")
    return run_all(checks, f"SKIPPED the Node client's tests: {reason}" if reason else None)


def run_all(checks: Iterable[Check], remark: str | None = None) -> int:
    """Run the checks up to the first that fails; its exit code, or 0. ``remark`` comes after."""
    code, failed = 0, None
    for check in checks:
        code = run(check)
        if code:
            failed = check
            break
    if remark is not None:
        print(remark, flush=True)
    if failed is not None:
        print(f"FAILED: {failed.shown}", flush=True)
    return code


def lint_and_types() -> Iterator[Check]:
    """The checks that run nothing of the project."""
    yield python("ruff", "format", "--check")
    yield python("ruff", "check")
    for platform in PLATFORMS:
        # A cache each: mypy throws away what it kept for another platform.
        yield python("mypy", "--platform", platform, "--cache-dir", f".mypy_cache/{platform}")


def node_checks(npm: str) -> Iterator[Check]:
    """Those of the npm package and of the Electron example."""
    for folder, words in NODE_CHECKS:
        place = folder.relative_to(ROOT).as_posix()
        yield Check([npm, *words], f"npm --prefix {place} {shlex.join(words)}", folder)


def tests(pytest_arguments: Sequence[str], *, fast: bool) -> Check:
    """Pytest's."""
    if fast:
        return python("pytest", "tests/unit", "tests/protocol", *pytest_arguments)
    coverage = ("--cov=protocol", "--cov-report=term", "--cov-fail-under=100")
    return python("pytest", *coverage, *pytest_arguments)


def bundle_checks(pytest_arguments: Sequence[str]) -> Iterator[Check]:
    """Two builds, which must be the same, and the first one's tests."""
    if npm := shutil.which("npm"):
        yield next(node_checks(npm))
    one, other = (f"build/check/{name}" for name in ("one", "other"))
    for folder in (one, other):
        options = ("--edition", "cpu", "--npm", "--archive", "--dist", folder)
        yield script("packaging/build.py", *options)
    yield script("packaging/compare.py", one, other)
    suffix = ".exe" if sys.platform == "win32" else ""
    argv = f"{one}/speaker-sidecar-cpu/speaker-sidecar{suffix}"
    e2e = python("pytest", "tests/e2e", *pytest_arguments)
    program = {"SIDECAR_ARGV": f'"{ROOT / argv}"'}
    yield replace(e2e, shown=f"SIDECAR_ARGV={argv} {e2e.shown}", variables=program)


def windows_lane(arguments: Sequence[str]) -> Check:
    """The project's Windows code, under Wine."""
    return script("packaging/windows/lane.py", *arguments)


def script(*words: str) -> Check:
    """``python`` these words."""
    return Check([sys.executable, *words], f"python {shlex.join(words)}")


def python(*words: str) -> Check:
    """``python -m`` these words."""
    return Check([sys.executable, "-m", *words], f"python -m {shlex.join(words)}")


def run(check: Check) -> int:
    """Run one check and say how long it took; its exit code."""
    print(f"$ {check.shown}", flush=True)
    started_at = time.perf_counter()
    # The Node tests start the sidecar with this Python.
    environment = {**os.environ, "PYTHON": sys.executable, **check.variables}
    done = subprocess.run(check.command, cwd=check.folder, env=environment, check=False)
    print(f"({time.perf_counter() - started_at:.0f} s)\n", flush=True)
    return done.returncode


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
