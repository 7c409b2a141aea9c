from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.tools import doctor

ROOT = Path(__file__).resolve().parents[2]
REPORT = {
    "speaker_sidecar": "0.1.0",
    "python": "3.12.1 (python)",
    "system": "Windows-11",
    "frozen": True,
    "packages": {"torch": "2.14.1", "speechbrain": None},
    "selected": "cuda:0",
    "reason": "the GPU serves: RTX 4070 with 12 GiB",
    "cpu": {"name": "Ryzen", "cores": 8, "simd": "AVX2"},
    "driver": {
        "version": "581.29",
        "cuda": [13, 0],
        "cards": [{"name": "RTX 4070", "capability": [8, 9]}],
    },
    "torch": {"version": "2.14.1+cu130", "cuda": "13.0", "oldest_capability": [7, 5]},
    "gpus": [
        {
            "index": 0,
            "name": "RTX 4070",
            "memory_total_bytes": 12 * 2**30,
            "memory_free_bytes": 11 * 2**30,
            "compute_capability": "8.9",
        }
    ],
    "cuda_visible_devices": None,
    "which_model": "the better one",
    "models": [
        {"model": "m", "file": "f", "path": "/m/f", "sha256": "0" * 64, "state": "installed"}
    ],
    "speech_detector": {"id": "ear", "path": "/m/ear.onnx", "state": "installed"},
    "segmenter": {"id": "turns", "path": "/m/turns.onnx", "state": "converted"},
    "tried_model": "m",
    "advice": None,
    "devices": [
        {"device": "cpu", "error": "the self-test on cpu failed"},
        {
            "device": "cuda:0",
            "start_s": 2.5,
            "embed_ms": 6.25,
            "runtime": "torch 2.14.1",
            "remarks": ["in f32, as this CPU has no bf16 instructions"],
            "cosine": 0.99999991,
            "fingerprint": "m.0",
            "gpu_peak_reserved_bytes": 200 * 2**20,
        },
    ],
}


@pytest.fixture
def told(monkeypatch, capsys):
    """What doctor prints of a report, for a person."""

    def tell(report: dict) -> str:
        monkeypatch.setattr(doctor, "examine", lambda *_: report)
        doctor.run(argparse.Namespace(model=None, models_dir=None, json=False))
        return capsys.readouterr().out

    return tell


def test_the_report_in_words(told):
    text = told(REPORT)
    for line in (
        "speaker-sidecar  0.1.0 (bundled)",
        "packages         torch 2.14.1, speechbrain absent",
        "NVIDIA driver    581.29, CUDA 13.0 at most; RTX 4070 (8.9)",
        "torch            2.14.1+cu130, built for CUDA 13.0 and cards since 7.5",
        "GPU 0            RTX 4070, 11.0 of 12.0 GiB free",
        "why              the GPU serves: RTX 4070 with 12 GiB",
        "  installed  m: /m/f",
        "  which to take: the better one",
        "  what hears speech: installed, /m/ear.onnx",
        f"             SHA-256 {'0' * 64}",
        "a second of audio with m",
        "  cpu     does not serve: the self-test on cpu failed",
    ):
        assert line in [shown.rstrip() for shown in text.splitlines()]
    trial = (
        "cuda:0 6.2 ms with torch 2.14.1 (median of 5), ready after 2.5 s, self-test cosine "
        "0.99999991, 200 MiB of GPU memory; in f32, as this CPU has no bf16 instructions"
    )
    assert trial in " ".join(text.split())
    assert text.isascii()


@pytest.mark.parametrize(
    ("is_bundled", "advice"), [(True, "install the program anew"), (False, "models fetch {}")]
)
@pytest.mark.parametrize(
    ("name", "does"), [("speech_detector", "hears speech"), ("segmenter", "tells turns")]
)
def test_what_to_do_where_a_network_is_missing(told, name, does, is_bundled, advice):
    absent = {**REPORT[name], "state": "absent"}
    text = " ".join(told({**REPORT, "frozen": is_bundled, name: absent}).split())
    assert f"what {does}: absent, {absent['path']}; " in text
    assert advice.format(absent["id"]) in text


def test_a_path_is_told_in_one_piece(told):
    path = "/folder" * 20
    assert path in told({**REPORT, "models": [{**REPORT["models"][0], "path": path}]})


def test_a_machine_without_anything_in_words(told):
    bare = {
        **REPORT,
        "driver": None,
        "torch": {"version": "2.14.1+cpu", "cuda": None, "oldest_capability": [0, 0]},
    }
    text = told(bare)
    assert "NVIDIA driver    none answers" in text
    assert "2.14.1+cpu, a CPU-only build" in text


@pytest.mark.parametrize(
    ("devices", "exit_code"), [(REPORT["devices"], 0), (REPORT["devices"][:1], 69)]
)
def test_the_exit_code_says_whether_some_device_serves(monkeypatch, capsys, devices, exit_code):
    monkeypatch.setattr(doctor, "examine", lambda *_: {**REPORT, "devices": devices})
    options = argparse.Namespace(model=None, models_dir=None, json=True)
    assert doctor.run(options) == exit_code
    assert json.loads(capsys.readouterr().out)["devices"] == devices


def test_the_model_that_is_tried_is_one_that_is_installed():
    files = [("a", "installed"), ("a", "absent"), ("b", "installed")]
    models = [{"model": model, "state": state} for model, state in files]
    assert doctor._first_installed(models) == "b"
    assert doctor._first_installed(models[:2]) is None
    assert doctor._first_installed([]) is None


def test_a_bundle_that_lost_its_models_tries_one_all_the_same(monkeypatch):
    monkeypatch.setattr(doctor, "is_bundle", lambda: True)
    assert doctor._first_installed([]) == "ecapa-voxceleb"


def test_where_no_model_is_installed_it_says_what_to_run(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        "sidecar.engine.speech_engine.SpeechEngine.import_libraries", lambda _: None
    )
    options = argparse.Namespace(model=None, models_dir=tmp_path, json=False)
    assert doctor.run(options) == 69
    advice = "no model is installed: run speaker-sidecar models fetch campplus-zh-en"
    assert advice in capsys.readouterr().out.splitlines()
    options.json = True
    assert doctor.run(options) == 69
    report = json.loads(capsys.readouterr().out)
    assert (report["advice"], report["tried_model"], report["devices"]) == (advice, None, [])


@pytest.mark.parametrize("error", [OSError("DLL load failed"), ImportError("no torch")])
def test_a_broken_installation_is_reported_too(monkeypatch, capsys, error):
    def fail(self):
        raise error

    monkeypatch.setattr("sidecar.engine.speech_engine.SpeechEngine.import_libraries", fail)
    options = argparse.Namespace(model=None, models_dir=None, json=False)
    assert doctor.run(options) == 69
    out = " ".join(capsys.readouterr().out.split())
    assert f"FAULT a library cannot be imported: {type(error).__name__}: {error}" in out
    assert "reinstall speaker-sidecar" in out
    assert "packages" in out


def test_nothing_that_may_be_broken_is_imported_before_the_report():
    code = "import sys, sidecar.tools.doctor; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    may_be_broken = {"filelock", "numpy", "onnxruntime", "openvino", "platformdirs", "soundfile"}
    assert not {*may_be_broken, "onnx", "torch"} & set(done.stdout.split())


def test_an_unknown_model_is_told(capsys):
    options = argparse.Namespace(model="nope", models_dir=None, json=True)
    assert doctor.run(options) == 69
    assert "neither one of the catalog" in json.loads(capsys.readouterr().out)["fault"]
