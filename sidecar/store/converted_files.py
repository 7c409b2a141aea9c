"""Models as the CPU's runtimes read them, on disk: made once, checked before every use.

Layout: ``<root>/<fingerprint>-<hash of the origin>/``, and in it the network's files, the
self-test's reference embeddings, and a manifest that says what made them and how they hash. For
ONNX Runtime the network is one file; for OpenVINO it is two parts, each an ``.xml`` beside a
``.bin``. A folder is there whole, or not at all: it is filled beside its place, and only then moved
there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sidecar import __version__
from sidecar.config import CpuRuntime, Precision
from sidecar.store.assets import sha256_of
from sidecar.store.shared_folder import move, only_one, sync

_log = logging.getLogger(__name__)

NETWORK = "network.onnx"
# The operators that it is written in; every release of ONNX Runtime since reads them.
ONNX_OPSET = 17
FIRST = "first.xml"
SECOND = "second.xml"
REFERENCES = "references.f64"
MANIFEST = "manifest.json"
_NETWORKS: Mapping[CpuRuntime, tuple[str, ...]] = {
    "onnxruntime": (NETWORK,),
    "openvino": (FIRST, "first.bin", SECOND, "second.bin"),
}
_COMPILED = "compiled"
# Counts what a conversion makes: its files, their inputs and outputs, and how they compute.
_LAYOUT = 8
_WORK_PREFIX = ".convert-"
_UNUSED_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Origin:
    """What a conversion depends on; where any of it differs, the files are another's.

    ``version``: of the runtime, or of the format if the runtime reads that of other releases.
    ``reference``: names the self-test's waveforms. ``precision``: of the files; what OpenVINO runs
    in bf16 lies there in f32. ``program``: conversions change with releases.
    """

    fingerprint: str
    runtime: CpuRuntime
    version: str
    reference: str
    precision: Precision = "f32"
    program: str = f"{__version__}, layout {_LAYOUT}"

    @property
    def folder_name(self) -> str:
        """Where it belongs, below the root: each origin has a place of its own.

        So two installed releases do not replace each other's files at every start.
        """
        digest = hashlib.sha256("\n".join(asdict(self).values()).encode()).hexdigest()
        return f"{self.fingerprint}-{digest[:8]}"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of what is converted, but for the manifest."""
        return (*_NETWORKS[self.runtime], REFERENCES)


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted model, checked just now.

    ``compiled``: the folder in which may be kept what OpenVINO compiled of it.
    """

    folder: Path
    compiled: Path

    @classmethod
    def within(cls, folder: Path) -> Converted:
        """One that keeps what is compiled of it beside its files."""
        return cls(folder, folder / _COMPILED)

    def compiled_below(self, root: Path) -> Converted:
        """The same, but what is compiled of it is kept below ``root``: its folder is read-only.

        What other releases of the program left there is removed, once it was unused for long.
        """
        with suppress(OSError):
            os.utime(root / self.folder.name)  # so that it counts as used
        _sweep(root, used_since=time.time() - _UNUSED_S)
        return replace(self, compiled=root / self.folder.name / _COMPILED)

    @property
    def network(self) -> Path:
        """For ONNX Runtime: waveforms to embeddings ``[batch, dim]``."""
        return self.folder / NETWORK

    @property
    def first(self) -> Path:
        """For OpenVINO, the part that computes in f32: waveforms to what the second one takes."""
        return self.folder / FIRST

    @property
    def second(self) -> Path:
        """For OpenVINO, the part that may use fewer bits: to embeddings ``[batch, dim]``."""
        return self.folder / SECOND

    def references(self) -> NDArray[np.float64]:
        """The self-test's reference embeddings, shape (2, dim)."""
        return np.fromfile(self.folder / REFERENCES, "<f8").reshape(2, -1)


def find(root: Path, origin: Origin, *, is_own: bool = True) -> Converted | None:
    """The converted model of exactly this origin; None where it is to be made, the log says why.

    ``is_own``: whether ``root`` is the user's; in a bundle nothing is changed, not even a date.
    """
    folder = root / origin.folder_name
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if manifest["origin"] != asdict(origin):
            _log.info("%s was made by another release; it will be made again", folder)
            return None
        for name in origin.files:
            if manifest["sha256"][name] != sha256_of(folder / name):
                _log.warning("%s is damaged; it will be made again", folder / name)
                return None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        _log.warning("%s cannot be used (%s); it will be made again", folder, error)
        return None
    if is_own:
        with suppress(OSError):
            os.utime(folder / MANIFEST)  # so that it counts as used
    return Converted.within(folder)


@contextmanager
def making(root: Path, on_wait: Callable[[], None]) -> Iterator[Path]:
    """An empty folder to convert into; one process at a time, ``on_wait`` is called while it waits.

    Raises:
        OSError: ``root`` cannot be written in.
    """
    root.mkdir(parents=True, exist_ok=True)
    with only_one(root, on_wait):
        # Whoever holds the lock is alone: other such folders are of processes that were killed.
        for leftover in root.glob(f"{_WORK_PREFIX}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        _sweep(root, used_since=time.time() - _UNUSED_S)
        around = Path(tempfile.mkdtemp(prefix=_WORK_PREFIX, dir=root))
        try:
            work = around / "made"  # unlike the folder around it, as open to others as any
            work.mkdir()
            yield work
        finally:
            shutil.rmtree(around, ignore_errors=True)


def _sweep(root: Path, used_since: float) -> None:
    """Remove what no start has used for long: other releases', and other weights'."""
    # Of networks that came ready with a bundle, only what was compiled lies here: no manifest.
    folders = {path.parent for name in (MANIFEST, _COMPILED) for path in root.glob(f"*/{name}")}
    for folder in folders:
        signs = [path for path in (folder / MANIFEST, folder) if path.exists()]
        with suppress(OSError):
            if max(path.stat().st_mtime for path in signs) < used_since:
                _log.info("%s was not used for long, and is removed", folder)
                shutil.rmtree(folder, ignore_errors=True)


def place(work: Path, root: Path, origin: Origin) -> Converted:
    """Seal what was made in ``work``, a folder of ``making``, and move it to its place.

    Raises:
        OSError: it cannot be moved there.
    """
    hashes = {name: sha256_of(work / name) for name in origin.files}
    manifest = {"origin": asdict(origin), "sha256": hashes}
    (work / MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
    for name in (*origin.files, MANIFEST):
        sync(work / name)
    target = root / origin.folder_name
    if target.exists():
        replaced = Path(tempfile.mkdtemp(prefix=_WORK_PREFIX, dir=root))
        move(target, replaced / target.name)
        shutil.rmtree(replaced, ignore_errors=True)
    move(work, target)
    return Converted.within(target)
