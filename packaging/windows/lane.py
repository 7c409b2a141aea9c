"""The Windows lane: the project's Windows code, run for real, on a Debian 12 without Windows.

    python packaging/check.py --windows

Under Wine, with python.org's own CPython 3.11 and the wheels that Windows gets: the protocol and
unit tests, end-to-end tests, the build of the bundle, tests of its program in a folder with an
awkward name, and the Node client with that program. ``--whole`` runs every end-to-end test. What is
downloaded lies in the user's cache, and is used again. docs/not-exercised.md says what only a real
Windows can show.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import windows_python
from lane_failed import LaneFailed
from packages import HERE, Downloads, NoWine, download, require_debian_packages
from signatures import NODE, require_signature
from wine import Wine, windows_path

ROOT = HERE.parent.parent
NODE_CLIENT = ROOT / "protocol" / "node"
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "speaker-sidecar-windows"
)
# Spaces, and letters of four alphabets.
AWKWARD = "Программа für 说话人 και φίλους"

# End-to-end tests that take from half a minute to four; they run with --whole alone.
LONG = ["bench", "demo", "ecapa_folder", "faults", "fuzz", "harness", "life", "load", "long_work"]
LONG += ["converted_start", "live_faults", "speech", "vectors"]
# Those that show what is a bundle's own.
OF_THE_PROGRAM = ("bundle", "bundle_on_a_users_machine", "exit_codes", "speech", "start")
# Of one program that the lane runs, such as all unit tests.
LIMIT_S = 1800.0


class Lane:
    """The steps, one after the other, each with its time."""

    def __init__(self, *, is_whole: bool) -> None:
        self._is_whole = is_whole
        self._times: list[tuple[str, float]] = []

    def run(self) -> None:
        """Run them all.

        Raises:
            NoWine: it cannot run here.
            LaneFailed: a step did not succeed.
        """
        with self._step("Debian's packages"):
            require_debian_packages()
        with self._step("downloads"):
            downloads = download(CACHE)
        with self._step("Windows Python and Wine"):
            python = windows_python.make(CACHE / "python", downloads.runtime, downloads.libraries)
            wine = Wine(CACHE / "wine", python.runtime)
        try:
            self._run_in(wine, python.program, downloads)
        finally:
            wine.stop()

    def _run_in(self, wine: Wine, python: Path, downloads: Downloads) -> None:
        environment = {
            "PYTHON": windows_path(python),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SPEAKER_SIDECAR_MODELS_DIR": windows_path(CACHE / "models"),
        }

        def run(*words: str, folder: Path = ROOT) -> None:
            wine.run([python, *words], folder=folder, environment=environment, limit_s=LIMIT_S)

        def pytest(*words: str) -> None:
            run("-m", "pytest", "-q", "-p", "no:cacheprovider", *words)

        with self._step("models, fetched and converted"):
            for model in ("campplus-zh-en", "silero-vad"):
                run("-m", "sidecar", "models", "fetch", model)
        with self._step("protocol and unit tests"):
            pytest("tests/protocol", "tests/unit")
        with self._step("end-to-end tests of the source"):
            left_out = [] if self._is_whole else LONG
            pytest("tests/e2e", *(f"--ignore=tests/e2e/test_{name}.py" for name in left_out))
        with self._step("the build"):
            dist = CACHE / "dist" / AWKWARD
            run("packaging/build.py", "--edition", "cpu", "--dist", windows_path(dist))
        program = windows_path(dist / "speaker-sidecar-cpu" / "speaker-sidecar.exe")
        environment["SIDECAR_ARGV"] = f'"{program}"'
        with self._step("end-to-end tests of the program"):
            chosen = [f"tests/e2e/test_{name}.py" for name in OF_THE_PROGRAM]
            # Shown with what they print: how near the embeddings are to the reference.
            pytest("-rsP", *(["tests/e2e"] if self._is_whole else chosen))
        with self._step("the Node client with the program"):
            if downloads.node is None:
                print("SKIPPED: npm is not installed")
                return
            _build_node_client()
            node = windows_path(_unpack_node(downloads.node))
            words = [windows_path(HERE / "relay.py"), node, "--test", "--test-reporter=spec"]
            run(*words, folder=NODE_CLIENT)

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        print(f"\n==== {what}", flush=True)
        began_at = time.perf_counter()
        try:
            yield
        finally:
            took_s = time.perf_counter() - began_at
            self._times.append((what, took_s))
            print(f"({took_s:.0f} s)", flush=True)

    def times(self) -> str:
        """A table of the steps and of the whole, in seconds."""
        rows = [*self._times, ("in all", sum(took_s for _, took_s in self._times))]
        return "\n".join(f"{took_s:5.0f} s  {what}" for what, took_s in rows)


def _unpack_node(package: Path) -> Path:
    """node.exe out of its npm package."""
    program = CACHE / "node.exe"
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/bin/node.exe")
        assert member is not None, "it is a file"
        program.write_bytes(member.read())
    require_signature([program], NODE)
    return program


def _build_node_client() -> None:
    """From TypeScript, on Linux: what comes out is the same everywhere."""
    npm = shutil.which("npm")
    assert npm is not None, "it fetched Node"
    for words in (["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "build"]):
        if subprocess.run([npm, *words], cwd=NODE_CLIENT, check=False).returncode != 0:
            raise LaneFailed(f"npm {words[0]} failed; what it says is above")


def main(arguments: Sequence[str]) -> int:
    """Run the lane; 0 if all of it succeeded, or it cannot run here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whole", action="store_true", help="run every end-to-end test")
    lane = Lane(is_whole=parser.parse_args(arguments).whole)
    try:
        lane.run()
    except NoWine as reason:
        print(f"SKIPPED the Windows lane: {reason}", flush=True)
        return 0
    except (LaneFailed, subprocess.SubprocessError, OSError) as error:
        print(f"\n{lane.times()}\nFAILED: {error}", flush=True)
        return 1
    print(f"\n{lane.times()}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
