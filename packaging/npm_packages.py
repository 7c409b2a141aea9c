"""Packages for npm: the bundle for this platform, and the Node client that asks for such packages.

``optionalDependencies`` are in the packed client alone, not in the project's ``package.json``:
``npm ci`` would need a lock file with the hash of each package, and none is there before a build.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import space
from build_failed import BuildFailed
from manifest import list_anew

from sidecar import __version__

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "protocol" / "node"
NAME = "speaker-sidecar"
# By Node's names, `process.platform` and `process.arch`: what there is torch and ONNX Runtime for.
PLATFORMS = ("darwin-arm64", "linux-x64", "win32-x64")
_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}
_README = """\
# {name}

The program of [speaker-sidecar](https://www.npmjs.com/package/speaker-sidecar) for {platform}, with
the models {models}. Install `speaker-sidecar`, which asks for this package and finds the program in
it. The licences of everything inside are in `speaker-sidecar/NOTICES.txt`.
"""


def require_npm(edition: str) -> None:
    """See that packages can be made here.

    Raises:
        BuildFailed: they cannot; it says why.
    """
    if edition != "cpu":
        raise BuildFailed("--npm packs the cpu edition: the other has gigabytes, too many for npm")
    if _platform() not in PLATFORMS:
        raise BuildFailed(
            f"--npm: no package is for {_platform()}, only for {', '.join(PLATFORMS)}"
        )
    if shutil.which("npm") is None:
        raise BuildFailed("--npm needs npm, which comes with Node: install it")
    if not (CLIENT / "node_modules").is_dir():
        raise BuildFailed("--npm compiles the Node client: npm --prefix protocol/node ci")
    _client()


def write_packages(bundle: Path, target: Path) -> list[str]:
    """Make both packages in ``target``, each as a folder and a .tgz; a line each, how large it is.

    The client's is the same whatever it is made on.

    Raises:
        BuildFailed: npm failed, or left something out.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    packed = [_pack_platform(bundle, target), _pack_client(target)]
    return [f"{path.stat().st_size / 1e6:9.1f} MB  packed, {path}" for path in packed]


def _pack_platform(bundle: Path, target: Path) -> Path:
    folder = target / f"{NAME}-{_platform()}"
    # npm packs no links, so what they name takes their places. Of a framework (macOS) only the
    # library is needed, which a link beside it names.
    inside = folder / NAME
    shutil.copytree(bundle, inside, ignore=shutil.ignore_patterns("*.framework"))
    models = list_anew(inside)["models"]
    about = about_platform(_platform(), _client())
    _write_json(folder / "package.json", about)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    told = ", ".join(f"`{model['id']}`" for model in models)
    text = _README.format(name=folder.name, platform=_platform(), models=told)
    (folder / "README.md").write_text(text, "utf-8", newline="\n")
    tarball = _npm_pack(folder, target, "--ignore-scripts")
    _require_whole(tarball, inside)
    return tarball


def about_platform(of: str, client: Mapping[str, object]) -> dict[str, object]:
    """The ``package.json`` of the package for a platform."""
    system, _, architecture = of.partition("-")
    shared = ("repository", "homepage", "bugs", "author")
    return {
        "name": f"{NAME}-{of}",
        "version": __version__,
        "description": f"The program of {NAME} for {of}",
        **{field: client[field] for field in shared if field in client},
        "license": f"SEE LICENSE IN {NAME}/NOTICES.txt",
        "files": [NAME],
        "os": [system],
        "cpu": [architecture],
        **({"libc": ["glibc"]} if system == "linux" else {}),
        # Yarn: in a folder, not in an archive, where nothing can be started.
        "preferUnplugged": True,
    }


def _pack_client(target: Path) -> Path:
    folder = target / NAME
    # Its prepack compiles it.
    plain = _npm_pack(CLIENT, target)
    with tarfile.open(plain) as tar:
        # The argument ``filter`` is not there before Python 3.11.4; npm made the archive just now.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(target)  # noqa: S202
    (target / "package").rename(folder)
    plain.unlink()
    about = _client()
    about["optionalDependencies"] = {f"{NAME}-{of}": __version__ for of in PLATFORMS}
    _write_json(folder / "package.json", about)
    return _npm_pack(folder, target, "--ignore-scripts")


def _client() -> dict[str, object]:
    about: dict[str, object] = json.loads((CLIENT / "package.json").read_text("utf-8"))
    if about["version"] != __version__:
        raise BuildFailed(f"protocol/node/package.json is of {about['version']}, not {__version__}")
    return about


def _npm_pack(folder: Path, target: Path, *options: str) -> Path:
    npm = shutil.which("npm") or "npm"
    argv = [npm, "pack", "--pack-destination", str(target), "--loglevel=error", *options]
    done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"npm pack failed in {folder}; what it says is above")
    # What a prepack prints comes before it.
    return target / done.stdout.split()[-1]


def _require_whole(tarball: Path, inside: Path) -> None:
    """See that a package has all of the program, with its permission to run."""
    with tarfile.open(tarball) as tar:
        modes = {member.name: member.mode for member in tar if member.isfile()}
    paths = space.files_of(inside)
    names = {f"package/{NAME}/{path.relative_to(inside).as_posix()}": path for path in paths}
    lost = [name for name in names if name not in modes]
    if sys.platform != "win32":
        lost += [
            f"{name} (its permission to run)"
            for name in names.keys() & modes.keys()
            if names[name].stat().st_mode & 0o100 and not modes[name] & 0o100
        ]
    if lost:
        raise BuildFailed(f"npm left out of {tarball.name}: {', '.join(sorted(lost))}")


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{sys.platform}-{_ARCHITECTURES.get(machine, machine)}"


def _write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, "utf-8", newline="\n")
