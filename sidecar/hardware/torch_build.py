"""What the installed torch was built for, found without importing it, which takes seconds."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

from sidecar.hardware.device import TorchBuild


def is_installed() -> bool:
    """Whether torch can be imported, as far as its files tell."""
    return _folder() is not None


def installed_build() -> TorchBuild | None:
    """Its release and CUDA release; the cards are not known. None where neither can be told."""
    folder = _folder()
    if folder is None:
        return None
    try:
        says = runpy.run_path(str(folder / "version.py"))
        return TorchBuild(says["__version__"], says["cuda"], None)
    except (OSError, LookupError, SyntaxError):
        return None  # in a bundle there are no such files


def _folder() -> Path | None:
    try:
        spec = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) if places else None
