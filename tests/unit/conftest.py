"""What the tests of the scripts in ``packaging/`` share, and those of what a person sees."""

from __future__ import annotations

import hashlib
import importlib

import numpy as np
import pytest
from unit.gallery_voices import OPENED
from unit.packaging_files import PACKAGING

from sidecar.engine.loading import ONNX_VERSION, converted_origin
from sidecar.store.converted_files import MANIFEST as CONVERTED_MANIFEST
from sidecar.store.converted_files import Converted
from sidecar.store.installed import FOLDER_WEIGHTS, InstalledModel, find_card


@pytest.fixture(autouse=True)
def close_galleries():
    """From Python 3.13 on, a connection that is left open is a warning."""
    yield
    while OPENED:
        OPENED.pop()._file.connection.close()


@pytest.fixture
def load_script(monkeypatch):
    """Imports a script of ``packaging/``, as it is imported when it runs."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    return importlib.import_module


@pytest.fixture
def prepared(load_script, tmp_path):
    """Makes a model ready to be shipped, in the folder of that name; of made-up bytes."""

    def make(name, weights):
        folder, converted = tmp_path / name, tmp_path / "converted" / f"{weights.decode()}-2026"
        folder.mkdir()
        (folder / FOLDER_WEIGHTS).write_bytes(weights)
        converted.mkdir(parents=True, exist_ok=True)
        origin = converted_origin(f"ecapa.{weights.decode()}", "onnxruntime", ONNX_VERSION)
        for file in (*origin.files, CONVERTED_MANIFEST):
            (converted / file).write_bytes(np.ones(192, "<f8").tobytes())
        digest = hashlib.sha256(weights).hexdigest()
        installed = InstalledModel(find_card(str(folder)), folder / FOLDER_WEIGHTS, digest)
        return load_script("models_folder").PreparedModel(
            installed, Converted.within(converted), origin
        )

    return make


@pytest.fixture
def usual_terminal(monkeypatch):
    """Whatever terminal, if any, the tests run in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("rich.console.detect_legacy_windows", lambda: False)
