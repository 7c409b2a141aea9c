"""What the tests share: where things lie, and what skips where they are absent."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# How long a case takes says more about what else the machine does than about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from systems import skip_what_is_elsewhere  # noqa: E402 - it lies in that folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_what_is_elsewhere(items)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real speech and reference embeddings beside a developer's checkout."""
    folder = ROOT.parent / "shared"
    if not (folder / "audio" / "librispeech").is_dir():
        pytest.skip("no ../shared with real speech and reference embeddings beside the project")
    return folder


@pytest.fixture(scope="session")
def campplus_weights() -> Path:
    """The verified CAM++ checkpoint, fetched if it is not there."""
    return _weights("campplus-zh-en")


@pytest.fixture(scope="session")
def ecapa_weights() -> Path:
    """The verified checkpoint of SpeechBrain's ECAPA-TDNN, fetched if it is not there."""
    return _weights("ecapa-voxceleb")


@pytest.fixture(scope="session")
def seeded_ecapa_folder(tmp_path_factory):
    """A folder as SpeechBrain publishes it, with seeded weights."""
    from model.seeded_ecapa import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("ecapa")).parent


@pytest.fixture(scope="session")
def ecapa_folder(request):
    """The published weights, or seeded ones where those cannot be fetched."""
    try:
        return request.getfixturevalue("ecapa_weights").parent
    except pytest.skip.Exception as error:
        print(f"seeded weights take the place of the published ones: {error}")
        return request.getfixturevalue("seeded_ecapa_folder")


@pytest.fixture(scope="session")
def speech_detector_network() -> Path:
    """The verified network of the detector, fetched if it is not there."""
    return _weights("silero-vad")


@pytest.fixture(scope="session")
def segmentation_weights() -> Path:
    """The verified weights of what tells turns, fetched if they are not there."""
    return _weights("segmentation")


def _weights(model: str) -> Path:
    from protocol.errors import ModelUnavailable
    from sidecar.store.catalog import ASSETS
    from sidecar.store.weights import WeightStore, default_models_dir

    asset = ASSETS[model]
    try:
        paths = WeightStore(default_models_dir()).ensure(asset)
    except ModelUnavailable as error:
        pytest.skip(f"no weights of {model}: {error.message}")
    return paths[asset.files[0].name]


@pytest.fixture(scope="session")
def sidecar_argv(request) -> list[str]:
    """The command under test: the real sidecar, or what ``SIDECAR_ARGV`` names.

    ``SIDECAR_MODEL`` may name another model, for what does not depend on the weights.
    """
    from sidecar.tools.program import ARGV_VARIABLE, sidecar_argv

    model = os.environ.get("SIDECAR_MODEL", "campplus-zh-en")
    if not os.environ.get(ARGV_VARIABLE):  # a program from elsewhere sees to its models itself
        request.getfixturevalue("campplus_weights")
        # Else the first embedding of each process would begin to fetch it.
        request.getfixturevalue("speech_detector_network")
        _convert(model)
    return [*sidecar_argv(), "serve", "--model", model]


def _convert(model: str) -> None:
    """Once, here: else the first test that starts a sidecar waits for it, and may lose patience."""
    from sidecar.engine.export_process import ConversionFailed, convert_apart
    from sidecar.store.weights import default_models_dir

    with contextlib.suppress(ConversionFailed):  # torch takes its place
        convert_apart(model, "onnxruntime", default_models_dir(), lambda _: None, lambda: False)


@pytest.fixture(scope="session")
def light_argv() -> list[str]:
    """The real server with an encoder that needs no torch."""
    return [sys.executable, str(ROOT / "tests" / "light_sidecar.py")]


def pytest_report_header() -> str:
    from sidecar.tools.program import sidecar_argv

    return f"sidecar under test: {shlex.join(sidecar_argv())}"
