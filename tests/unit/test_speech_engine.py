from __future__ import annotations

import os

import pytest

from protocol.errors import ModelUnavailable
from sidecar.config import Config
from sidecar.engine.speech_engine import SpeechEngine, environment


def test_a_model_that_is_not_in_the_catalog_is_named_with_those_that_are():
    with pytest.raises(ModelUnavailable, match="neither one of the catalog") as caught:
        SpeechEngine(Config(model="nope")).find_model()
    assert caught.value.kind == "unknown_model"


def test_libraries_do_not_spin_unless_told_to(monkeypatch):
    monkeypatch.setattr("os.environ", {**os.environ, "KMP_BLOCKTIME": "77"})
    os.environ.pop("GOMP_SPINCOUNT", None)
    monkeypatch.setattr("sidecar.hardware.machine.libraries", lambda config: ())
    SpeechEngine(Config()).import_libraries()
    assert os.environ["GOMP_SPINCOUNT"] == "10000"
    assert os.environ["KMP_BLOCKTIME"] == "77"


def test_torch_keeps_the_code_of_few_shapes_and_openvino_chooses_for_itself():
    variable = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    assert environment(("torch", "sidecar.engine.openvino_library"))[variable] == "128"
    assert variable not in environment(("sidecar.engine.openvino_library",))
