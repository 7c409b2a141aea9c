"""Builds the bundle: one folder with a program, its libraries and its models, for an installer.

    pip install -c packaging/constraints.txt -e '.[build]'
    python packaging/build.py --edition cpu
    python packaging/build.py --edition cuda --model campplus-zh-en --model path/to/my-ecapa

Run it with the Python that has the libraries to be shipped. It converts and verifies the models,
has PyInstaller freeze the program (build_sidecar.spec), lays models, notices and a manifest beside
it, starts what it made, and prints what takes the space. The result: dist/speaker-sidecar-EDITION.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import models_folder
import space
from build_failed import BuildFailed
from manifest import write_manifest
from notices import write_notices
from npm_packages import require_npm, write_packages
from signing import mac_identity, sign
from trial import try_out
from windows_runtime import ship_runtime

from protocol.errors import SidecarError
from sidecar.bundle import MODELS_FOLDER

ROOT = Path(__file__).resolve().parent.parent
# What each edition runs the networks with.
RUNTIMES = {"cpu": ("onnxruntime",), "cuda": ("onnxruntime", "torch")}
# Small, good in two languages, and reachable wherever PyPI is.
DEFAULT_MODEL = "campplus-zh-en"


def main(arguments: list[str] | None = None) -> int:
    """Build; 0 if the bundle is there and works, else 1."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A pipe on Windows has an alphabet of its own, which the names of folders need not fit in.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _build(options)
    except (BuildFailed, SidecarError) as error:
        print(f"build.py: {getattr(error, 'message', error)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--edition",
        choices=RUNTIMES,
        required=True,
        help="cpu: ONNX Runtime, no torch; cuda: torch with CUDA, and ONNX Runtime for the CPU",
    )
    add(
        "--model",
        action="append",
        metavar="ID|DIR",
        help="what it carries, and so all that it serves; the first is its default; may be "
        f"repeated (default: {DEFAULT_MODEL})",
    )
    add("--models-dir", type=Path, metavar="DIR", help="where weights are kept, or fetched to")
    add("--dist", type=Path, default=ROOT / "dist", metavar="DIR", help="default: %(default)s")
    add(
        "--with-containers",
        action="store_true",
        help="also carry PyAV, which decodes M4A, WebM, WMA and more; parts of it are under the "
        "GPL: read docs/dependencies.md first",
    )
    add(
        "--npm",
        action="store_true",
        help="also make packages for npm, in DIST/npm: one of the bundle for this platform, and "
        "the Node client that asks for it",
    )
    add("--archive", action="store_true", help="also make a .tar.xz, and say how large it is")
    return parser


def _build(options: argparse.Namespace) -> None:
    began_at = time.perf_counter()
    _require_libraries(options.edition, with_containers=options.with_containers)
    if options.npm:
        require_npm(options.edition)
    work = ROOT / "build" / options.edition
    shutil.rmtree(work, ignore_errors=True)
    names = options.model or [DEFAULT_MODEL]
    models_folder.require_distinct(names)
    models = [models_folder.prepare(name, options.models_dir, work / "converted") for name in names]
    bundle = options.dist.resolve() / f"speaker-sidecar-{options.edition}"
    with _whole_or_aside(bundle):
        _freeze(options.edition, bundle, work, with_containers=options.with_containers)
        _strip_python(bundle)
        if sys.platform == "win32":
            print(ship_runtime(bundle))
        sign(bundle)
        models_folder.fill(bundle / MODELS_FOLDER, models, with_weights=options.edition == "cuda")
        models_folder.ship_detector(bundle / MODELS_FOLDER, options.models_dir)
        models_folder.ship_segmenter(bundle / MODELS_FOLDER, options.models_dir, work / "converted")
        contents = json.loads((work / "build_sidecar" / "contents.json").read_text("utf-8"))
        packages = write_notices(bundle, contents, models)
        write_manifest(bundle, options.edition, models, packages)
        ids = [model.entry.id for model in models]
        about = try_out(bundle, ids, RUNTIMES[options.edition])
    print("\n".join(space.report(bundle)))
    if options.archive:
        print(space.archive(bundle))
    if options.npm:
        print("\n".join(write_packages(bundle, bundle.parent / "npm")))
    print("", bundle, *about, f"built in {time.perf_counter() - began_at:.0f} s", sep="\n")


def _require_libraries(edition: str, *, with_containers: bool) -> None:
    wanted = {
        "pyinstaller": "PyInstaller",
        "onnxruntime": "onnxruntime",
        "onnx": "onnx",
        "torch": "torch",  # the cpu edition's networks are converted from it
    }
    extras = "build"
    if with_containers:
        wanted["av"] = "av"
        extras = "build,containers"
    missing = [name for name, module in wanted.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise BuildFailed(f"{', '.join(missing)} is missing: pip install -e '.[{extras}]'")
    if edition == "cuda":
        from sidecar.hardware.device import Facts, cuda_build_command  # noqa: PLC0415
        from sidecar.hardware.torch_build import installed_build  # noqa: PLC0415

        build = installed_build()
        if build is None or build.cuda is None:
            facts = Facts(sys.platform, None, build)
            command = cuda_build_command(facts) if build else "pip install torch"
            raise BuildFailed(f"the installed torch is a CPU-only build; {command}")


@contextmanager
def _whole_or_aside(bundle: Path) -> Iterator[None]:
    """See that ``bundle`` lies there only if it is done, and serves: no one ships half of it."""
    aside = bundle.with_name(f"{bundle.name}-failed")
    for old in (bundle, aside):
        shutil.rmtree(old, ignore_errors=True)
    try:
        yield
    except BaseException:  # Ctrl-C leaves half of it, too
        if bundle.exists():
            bundle.rename(aside)
            print(f"what there is of it: {aside}", file=sys.stderr)
        raise


def _freeze(edition: str, bundle: Path, work: Path, *, with_containers: bool) -> None:
    argv = [sys.executable, "-m", "PyInstaller", str(ROOT / "build_sidecar.spec"), "--noconfirm"]
    argv += ["--log-level", "WARN", "--distpath", str(bundle.parent), "--workpath", str(work)]
    argv += ["--", "--edition", edition, *(["--with-containers"] if with_containers else [])]
    if identity := mac_identity():
        argv += ["--sign-identity", identity]
    # The same bytes each time: sets keep one order, and programs for Windows one time of their own.
    fixed = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "0")}
    if subprocess.run(argv, cwd=ROOT, env={**os.environ, **fixed}, check=False).returncode != 0:
        raise BuildFailed("PyInstaller failed; what it says is above")


def _strip_python(bundle: Path) -> None:
    """Remove debug symbols from Python's own libraries: some builds of it carry 20 MB of them."""
    strip = shutil.which("strip")
    if not sys.platform.startswith("linux") or strip is None:
        return
    inner = bundle / "_internal"
    own = [*inner.glob("libpython*.so*"), *inner.glob("python3*/lib-dynload/*.so")]
    if subprocess.run([strip, "--strip-debug", *map(str, own)], check=False).returncode != 0:
        raise BuildFailed("strip failed; what it says is above")


if __name__ == "__main__":
    raise SystemExit(main())
