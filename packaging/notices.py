"""The licences and notices of everything in a bundle, in one file."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageMetadata
from pathlib import Path

import space
from build_failed import BuildFailed
from models_folder import PreparedModel

NOTICES = "NOTICES.txt"
ROOT = Path(__file__).resolve().parent.parent
_RULE = "=" * 78
_LICENCE_FILE = re.compile(r"licen[cs]e|copying|notice|third.party|authors", re.IGNORECASE)
# Their code is in every bundle: the program that PyInstaller's is, and its start.
_ALWAYS = ("pyinstaller", "pyinstaller-hooks-contrib")
# The project's own, which comes first.
_OWN = "speaker-sidecar"
# Texts that no installed package has; its README says where they are from.
_LICENCES = Path(__file__).resolve().parent / "licences"
# What comes without a package, or in one that is silent about it, libraries above all: by their
# files' names on the three systems, or their folders', the folder of their texts.
_PARTS = {
    "bzip2": r"libbz2[.\d-].*|bz2\.dll",
    "gcc": r"lib(gcc_s|stdc\+\+|gomp)\..*",
    "libffi": r"libffi[.\d-].*",
    "microsoft-visual-cpp": r"(msvcp|vcruntime|concrt|vcomp)140.*\.dll|ucrtbase\.dll|api-ms-win-.*",
    "nvidia-cuda": r"(cu(blas|da|dnn|fft|pti|rand|solver|sparse)|nv(jit|rtc|tools)).*\.dll",
    "silero-vad": r"silero_vad.*\.onnx",
    "pyannote-segmentation": r"segmentation\.[0-9a-f]{16}-[0-9a-f]{8}",
    "openssl": r"lib(crypto|ssl)[.\d-].*",
    "sqlite": r"(lib)?sqlite3\..*",
    "xz": r"(lib)?lzma[.\d-].*",
    "zlib": r"libz[.\d-].*|zlib1?\.dll",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What one part of a bundle asks to be told; ``texts``: each file's name, and what is in it."""

    title: str
    facts: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]


def write_notices(
    bundle: Path, contents: Iterable[Sequence[str]], models: Sequence[PreparedModel]
) -> dict[str, str]:
    """Write the file; the distributions of which something came into the bundle, with releases.

    ``contents``: of each thing that was frozen its name in the bundle, and the file it came from.

    Raises:
        BuildFailed: something is in the bundle whose licence nothing here has.
    """
    sources = [(Path(name).name, Path(source).resolve()) for name, source in contents]
    owners = _owners()
    packages = {owners[source].name: owners[source] for _, source in sources if source in owners}
    packages |= {name: importlib.metadata.distribution(name) for name in _ALWAYS}
    packages.pop(_OWN, None)
    system = {name: source for name, source in sources if _is_of_the_system(source, owners)}
    of_system, told = _notices_of_system(system)
    # From the bundle itself: some of it was put there after the freezing.
    inside = {name for path in space.files_of(bundle) for name in (path.name, path.parent.name)}
    of_parts, told_of_parts = _notices_of_parts(inside - told)
    notices = [
        Notice("speaker-sidecar", ("Apache-2.0",), _read([ROOT / "LICENSE"], ROOT)),
        _notice_of_python(),
        *(_notice_of_package(packages[name]) for name in sorted(packages, key=str.lower)),
        *of_system,
        *of_parts,
    ]
    untold = [notice.title for notice in notices if not notice.texts]
    untold += sorted(system.keys() - told - told_of_parts)
    if untold:
        raise BuildFailed(
            f"no licence text is known of {', '.join(untold)}: see packaging/licences/README.md"
        )
    notices[1:1] = [_notice_of_model(model) for model in models]
    text = "\n\n".join(_shown(notice) for notice in notices)
    (bundle / NOTICES).write_text(text + "\n", "utf-8")
    return {name: package.version for name, package in packages.items()}


def _shown(notice: Notice) -> str:
    lines = [_RULE, notice.title, *notice.facts, _RULE]
    for name, text in notice.texts:
        lines += ["", f"--- {name}", "", text.strip()]
    return "\n".join(lines)


def _owners() -> dict[Path, Distribution]:
    """The distribution that each installed file belongs to."""
    return {
        Path(str(package.locate_file(file))).resolve(): package
        for package in importlib.metadata.distributions()
        for file in package.files or ()
    }


def _is_of_the_system(source: Path, owners: dict[Path, Distribution]) -> bool:
    """Whether a file came from the system: neither a package's, nor Python's, nor our own.

    What came with a Python in a folder of its own counts as Python's; the libraries of others that
    lie there are told by their names.
    """
    stdlib = Path(sysconfig.get_path("stdlib")).resolve()
    base = Path(sys.base_prefix).resolve()
    is_python = (
        source.is_relative_to(stdlib)
        or (source.is_relative_to(base) and base != Path("/usr"))
        or source.name.startswith("libpython")
    )
    return not (source in owners or is_python or source.is_relative_to(ROOT))


def _notice_of_model(model: PreparedModel) -> Notice:
    entry = model.entry
    facts = (
        f"weights {entry.weights_sha256} (SHA-256), converted to ONNX",
        f"licence: {entry.licence or 'as their owner gave them'}",
        entry.homepage,
    )
    texts = _read([ROOT / "LICENSE"], ROOT) if entry.licence == "Apache-2.0" else ()
    if not model.installed.card.files:
        folder = model.installed.weights.parent
        found = sorted(path for path in folder.iterdir() if _LICENCE_FILE.search(path.name))
        texts = _read((path for path in found if path.is_file()), folder)
    return Notice(f"model {entry.id}: {entry.title}", tuple(filter(None, facts)), texts)


def _notice_of_python() -> Notice:
    places = (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix))
    files = [place / name for place in places for name in ("LICENSE.txt", "LICENSE")]
    first = [path for path in files if path.exists()][:1]
    title = f"Python {sys.version.partition(' ')[0]}"
    texts = tuple(text for path in first for text in _read([path], path.parent))
    return Notice(title, ("https://www.python.org",), texts)


def _notice_of_package(package: Distribution) -> Notice:
    about = package.metadata
    facts = [*_told(about, "License-Expression"), *_told(about, "License")][:1]
    facts += [told for told in _told(about, "Classifier") if told.startswith("License ::")]
    facts += [*_told(about, "Home-page"), *_told(about, "Project-URL")[:2]]
    files = sorted(
        Path(str(package.locate_file(file)))
        for file in package.files or ()
        if _LICENCE_FILE.search(file.name) and file.suffix not in {".py", ".pyc", ".pyi", ".h"}
    )
    texts = _read(files, Path(str(package.locate_file("")))) + _kept_texts(package.name.lower())
    return Notice(f"{package.name} {package.version}", tuple(facts), texts)


def _notices_of_system(libraries: Mapping[str, Path]) -> tuple[list[Notice], set[str]]:
    """Of libraries of the system that the build ran on, as far as dpkg knows them; their names.

    ``libraries``: of each its name in the bundle, and the file it came from.
    """
    dpkg = shutil.which("dpkg")
    by_package: dict[str, list[str]] = {}
    for name, library in sorted(libraries.items()):
        package = _dpkg_owner(dpkg, library) if dpkg else None
        if package and _debian_copyright(package).exists():
            by_package.setdefault(package, []).append(name)
    notices = []
    for package, names in sorted(by_package.items()):
        about = _debian_copyright(package)
        title = f"{package} (of the system on which this was built)"
        notices.append(Notice(title, (", ".join(names),), _read([about], about.parent)))
    return notices, {name for names in by_package.values() for name in names}


def _debian_copyright(package: str) -> Path:
    return Path("/usr/share/doc", package, "copyright")


def _notices_of_parts(files: Iterable[str]) -> tuple[list[Notice], set[str]]:
    """Of libraries that are known by the names of their ``files``; those names."""
    names = sorted(files)
    notices, told = [], set()
    for part, pattern in _PARTS.items():
        found = [name for name in names if re.fullmatch(pattern, name, re.IGNORECASE)]
        if found:
            notices.append(Notice(part, (", ".join(found),), _kept_texts(part)))
            told |= set(found)
    return notices, told


def _kept_texts(part: str) -> tuple[tuple[str, str], ...]:
    """The texts of a part that are kept here; empty if there are none."""
    return _read(sorted((_LICENCES / part).glob("*.txt")), _LICENCES)


def _dpkg_owner(dpkg: str, library: Path) -> str | None:
    for path in (library, Path("/", *library.parts[2:])):  # /usr/lib may be known as /lib
        done = subprocess.run([dpkg, "-S", str(path)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.partition(":")[0]
    return None


def _told(about: PackageMetadata, field: str) -> list[str]:
    """The first line of each field of that name."""
    return [value.strip().split("\n", 1)[0] for value in about.get_all(field) or ()]


def _read(paths: Iterable[Path], below: Path) -> tuple[tuple[str, str], ...]:
    """The texts of files, each under its path below a folder."""
    return tuple(
        (path.relative_to(below).as_posix(), path.read_text("utf-8", errors="replace"))
        for path in paths
    )
