"""ECAPA-TDNN in every form that OpenVINO can be given, and which one serves where."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from model.white_noise import noise

from protocol.reports import Cpu
from sidecar.engine import openvino_forms, openvino_runtime
from sidecar.engine.loading import converted_origin
from sidecar.engine.openvino_export import convert
from sidecar.engine.openvino_forms import FORMS, fastest, kept_form, measure_forms, take_form
from sidecar.engine.openvino_library import VERSION, ov
from sidecar.engine.openvino_runtime import OpenVinoRuntime
from sidecar.networks import ecapa
from sidecar.store.installed import InstalledModel, find_card, fingerprint
from sidecar.store.openvino_files import sha256_of

MIN_COSINE = 0.999999
# Convolutions of one frame that are left.
N_LEFT = {"convolutions": 17, "one product": 16, "products": 0}


@pytest.fixture(scope="module")
def model(ecapa_folder, tmp_path_factory):
    weights, card = ecapa_folder / "embedding_model.ckpt", find_card(str(ecapa_folder))
    sha256 = sha256_of(weights)
    origin = converted_origin(fingerprint(card, sha256, card.recipe), VERSION)
    root = tmp_path_factory.mktemp("models")
    made = convert(InstalledModel(card, weights, sha256), root, origin, lambda *_: None)
    return SimpleNamespace(torch=ecapa.load(weights), converted=made)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_computes_what_torch_does(form, model):
    runtime = OpenVinoRuntime(model.converted, 1, "f32", form)
    for n_samples in (640, 15_999, 16_000, 48_123, 160_000):
        [waveform] = noise(1, n_samples)
        a = runtime.embed([waveform.numpy()])[0].astype(np.float64)
        b = model.torch(waveform[None])[0].double().numpy()
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) >= MIN_COSINE


@pytest.mark.parametrize("form", FORMS)
def test_a_form_changes_what_it_says(form, model):
    network = ov.Core().read_model(model.converted.second)
    take_form(network, form)
    kernels = [
        tuple(op.input_value(1).get_shape())[2:]
        for op in network.get_ops()
        if op.get_type_name() == "Convolution"
    ]
    assert kernels.count((1, 1)) == N_LEFT[form]
    assert len(kernels) - kernels.count((1, 1)) == 22, "others were touched"


def test_the_form_is_measured_where_the_network_is_converted(model):
    kept = kept_form(model.converted.forms, ov.Core())
    assert kept in FORMS
    assert OpenVinoRuntime(model.converted, 1, "f32").form == kept


BY_INSTRUCTIONS = {"AVX512": "convolutions", "AVX2": "one product", "NEON": "convolutions"}


@pytest.mark.parametrize(("simd", "form"), BY_INSTRUCTIONS.items())
def test_a_machine_that_was_not_measured_goes_by_its_instructions(simd, form, model, monkeypatch):
    monkeypatch.setattr(openvino_forms, "VERSION", "another release")
    monkeypatch.setattr(openvino_runtime, "cpu", lambda: Cpu("of a laptop", 2, simd))
    assert kept_form(model.converted.forms, ov.Core()) is None
    runtime = OpenVinoRuntime(model.converted, 1, "f32")
    assert runtime.form == form
    assert bool(runtime.remarks) == (form != "convolutions")


def test_what_was_measured_is_kept_and_damage_is_not_believed(tmp_path):
    core, calls = ov.Core(), []

    def embed_in(form):
        return lambda duration_s: calls.append((form, duration_s))

    form = measure_forms(tmp_path, core, embed_in)
    assert {one for one, _ in calls} == set(FORMS)
    assert kept_form(tmp_path, core) == form
    [kept] = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert kept_form(tmp_path, core) is None


def test_the_fastest_is_so_by_the_ratios_of_its_times():
    assert fastest({"a": {1: 10, 10: 100}, "b": {1: 11, 10: 80}}) == "b"
    assert fastest({"a": {1: 10, 10: 100}, "b": {1: 14, 10: 80}}) == "a"
    assert fastest({"a": {1: 10, 10: 100}, "b": {1: 10, 10: 100}}) == "a"
