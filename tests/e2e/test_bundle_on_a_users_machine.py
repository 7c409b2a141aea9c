"""How a bundle serves on a user's machine, where there is no Python, and what damages end it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import pytest
from bundle_under_test import BUNDLE, EDITION, MANIFEST, NO_BUNDLE, PROGRAM
from raw_host import RawHost, assert_result, pcm

from sidecar.engine.device_check import waveform

pytestmark = pytest.mark.skipif(BUNDLE is None, reason=NO_BUNDLE)

# Whose embedding by torch came with the bundle.
SELF_TEST = {
    "pcm": waveform().tobytes(),
    "encoding": "f32le",
    "sample_rate_hz": 16_000,
    "channels": 1,
}


def copy_to(target):
    """A copy of the bundle; its files are the bundle's own where the disk is the same."""

    def link(source, copy):
        try:
            os.link(source, copy)
        except OSError:
            shutil.copy2(source, copy)

    shutil.copytree(BUNDLE, target, symlinks=True, copy_function=link)


@pytest.fixture(scope="module")
def installed():
    """The bundle where an installer put it: an awkward path, closed to what ``as_a_user`` runs."""
    # Not in tmp_path, which is closed to other users. As the program reports it: the folder for
    # temporary files is a link on macOS, and may have a short name on Windows.
    around = Path(tempfile.mkdtemp(prefix="bundle-")).resolve()
    around.chmod(0o755)
    target = around / "Programme für alle 说话人" / "speaker-sidecar"
    copy_to(target)
    yield target
    shutil.rmtree(around)


@pytest.fixture
def as_a_user(tmp_path):
    """How to start a program with no variables, so no Python; as root, as one without rights."""
    how = {"env": {}, "cwd": Path(tempfile.gettempdir())}
    if sys.platform == "win32":
        how["env"] = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP")}
    elif os.geteuid() == 0:
        how |= {"user": 65534, "group": 65534, "extra_groups": []}
    return how


@pytest.fixture
def offline():
    """What goes before a command to leave it no network; empty where that is not permitted."""
    argv = ["unshare", "--net"]
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which(argv[0]) is None:
        return []
    done = subprocess.run([*argv, "true"], capture_output=True, check=False)
    return argv if done.returncode == 0 else []


def cosine(embedding, reference):
    """Between an embedding as it comes over the wire and one in float64."""
    values = np.frombuffer(embedding, "<f4").astype(np.float64)
    return values @ reference / (np.linalg.norm(values) * np.linalg.norm(reference))


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def run(argv, **how):
    return subprocess.run(
        argv, capture_output=True, encoding="utf-8", timeout=300, check=False, **how
    )


def start_without_network(offline, argv, how):
    """``unshare`` takes rights that ``how`` gives up: so it gives them up behind it."""
    if not offline or "user" not in how:
        return argv, how
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    rest = {name: value for name, value in how.items() if name in {"env", "cwd"}}
    return [*offline, *drop, *argv], {**rest, "env": {"PATH": os.environ["PATH"]}}


@pytest.mark.parametrize("own", MANIFEST.get("models", ()), ids=lambda model: model["id"])
def test_it_serves_and_leaves_no_trace(installed, as_a_user, offline, own):
    before = listing(installed)
    # The first is the default.
    model = [] if own == MANIFEST["models"][0] else ["--model", own["id"]]
    argv = [installed / PROGRAM, "--threads", "1", *model]
    n_own = len(argv)
    argv, how = start_without_network(offline, argv, as_a_user)
    # RawHost adds this process's variables: env takes them away again.
    clean = [] if sys.platform == "win32" else ["env", "-i"]
    how = {name: value for name, value in how.items() if name != "env"}
    with RawHost([*argv[:-n_own], *clean, *argv[-n_own:]], **how) as host:
        host.wait_for_state("ready", "degraded")
        health = host.notices("health")[-1]
        assert health["model"]["id"] == own["id"]
        assert health["model"]["fingerprint"] == own["fingerprint"]
        assert health["model"]["weights_sha256"] == own["weights_sha256"]
        assert Path(health["model"]["source"]) == installed / "models"
        assert health["device"]["runtime"].startswith("onnxruntime ")
        assert "convert" not in {progress["phase"] for progress in host.notices("progress")}
        told = assert_result(host.call("embed", {"audio": SELF_TEST}), "embedding")
        assert host.finish() == 0
    assert listing(installed) == before
    [kept] = (installed / "models" / ".converted").glob(f"{own['fingerprint']}-*/references.f64")
    reference = np.fromfile(kept, "<f8").reshape(2, -1)[0]
    assert cosine(told["embedding"], reference) >= 0.99999


def test_doctor(installed, as_a_user, offline):
    argv, how = start_without_network(offline, [installed / PROGRAM, "doctor", "--json"], as_a_user)
    done = run(argv, **how)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["frozen"] is True
    assert report["tried_model"] == MANIFEST["models"][0]["id"]
    assert report["reason"].startswith(("the CPU serves: ", "the GPU serves: "))
    assert [m["state"] for m in report["models"]] == ["shipped"] * len(MANIFEST["models"])
    for name in ("numpy", "onnxruntime", "soundfile"):
        assert report["packages"][name] == MANIFEST["packages"][name]


def test_demo_with_a_file(installed, as_a_user, offline, tmp_path):
    around = Path(tempfile.mkdtemp(prefix="bundle-"))
    around.chmod(0o755)
    try:
        recording = around / "aufnahme.wav"
        with wave.open(str(recording), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(bytes(range(1, 97)) * 1500)
        argv = [installed / PROGRAM, "demo", "--file", recording]
        argv, how = start_without_network(offline, argv, as_a_user)
        done = run(argv, **how)
    finally:
        shutil.rmtree(around)
    assert done.returncode == 0, done.stderr
    assert "windows of 1.5 s" in done.stdout


def test_demo_without_a_file_asks_for_one(installed, as_a_user):
    done = run([installed / PROGRAM, "demo"], **as_a_user)
    assert done.returncode == 64
    assert "name one with --file" in done.stderr


def test_harness(installed, as_a_user, offline):
    argv, how = start_without_network(offline, [installed / PROGRAM, "harness"], as_a_user)
    explained = run([*argv, "--help"], **how)
    assert '{"wait_for": STATE}' in explained.stdout, explained.stderr
    listed = run([*argv, "--examples"], **how)
    assert listed.returncode == 0, listed.stderr
    [first_steps] = [line for line in listed.stdout.splitlines() if "first_steps" in line]
    done = run([*argv, "--quiet", first_steps], **how)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_does_not_carry_is_refused_in_a_sentence(installed, as_a_user):
    done = run([installed / PROGRAM, "bench"], **as_a_user)
    assert done.returncode == 64
    assert "bench" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_network_does_not_serve(tmp_path):
    copy = tmp_path / "bundle"
    copy_to(copy)
    network = next(copy.glob("models/.converted/*/network.onnx"))
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.unlink()  # it may be the bundle's own
    network.write_bytes(content)
    with RawHost([copy / PROGRAM, "--runtime", "onnxruntime"]) as host:
        host.wait_for_state("failed")
        assert "no converted network of it that is sound" in host.notices("health")[-1]["reason"]
        assert host.wait() == 69


def test_a_damaged_index_does_not_serve(tmp_path):
    copy = tmp_path / "bundle"
    copy_to(copy)
    index = copy / "models" / "models.json"
    index.unlink()  # it may be the bundle's own
    index.write_text('{"models": [')
    with RawHost([copy / PROGRAM]) as host:
        host.wait_for_state("failed")
        assert f"{index} is damaged" in host.notices("health")[-1]["reason"]
        assert host.wait() == 69
    done = run([copy / PROGRAM, "doctor"])
    assert done.returncode == 69
    assert "models.json is damaged" in done.stdout


def test_the_models_of_a_newer_bundle_serve(tmp_path):
    """--models-dir: with an index of one model, which is then the default."""
    newer = tmp_path / "models"
    shutil.copytree(BUNDLE / "models", newer)
    *_, last = MANIFEST["models"]
    index = json.loads((newer / "models.json").read_text("utf-8"))
    index["models"] = [model for model in index["models"] if model["id"] == last["id"]]
    (newer / "models.json").write_text(json.dumps(index), "utf-8")
    with RawHost([BUNDLE / PROGRAM, "--models-dir", newer, "--threads", "1"]) as host:
        host.wait_for_state("ready", "degraded")
        model = host.notices("health")[-1]["model"]
        assert (model["id"], model["fingerprint"]) == (last["id"], last["fingerprint"])
        assert Path(model["source"]) == newer
        assert host.finish() == 0


def test_damaged_weights_do_not_serve(tmp_path):
    if EDITION != "cuda":
        pytest.skip("the cpu edition has no weights, only what was converted from them")
    copy = tmp_path / "bundle"
    copy_to(copy)
    weights = copy / "models" / MANIFEST["models"][0]["weights"]
    weights.unlink()
    weights.write_bytes(b"weights")
    with RawHost([copy / PROGRAM]) as host:
        host.wait_for_state("failed")
        assert f"{weights} is damaged" in host.notices("health")[-1]["reason"]
        assert host.wait() == 69


def test_torch_serves_in_the_cuda_edition_alone(tmp_path):
    argv = [BUNDLE / PROGRAM, "--runtime", "torch", "--threads", "1", "--device", "cpu"]
    with RawHost(argv) as host:
        host.wait_for_state("ready", "failed")
        health = host.notices("health")[-1]
        if EDITION == "cpu":
            assert "torch cannot be imported" in health["reason"]
            assert host.wait() == 69
        else:
            assert health["device"]["runtime"].startswith("torch ")
            assert health["device"]["self_test"]["cosine"] > 0.999999
            assert_result(host.call("embed", {"audio": pcm(1.0)}), "embedding")
            assert host.finish() == 0


def test_a_gpu_that_is_not_there_is_missed_in_a_sentence():
    with RawHost([BUNDLE / PROGRAM, "--gpu", "--threads", "1"]) as host:
        host.wait_for_state("ready", "degraded")
        health = host.notices("health")[-1]
        if health["device"]["gpus"]:
            pytest.skip("there is a GPU here")
        assert health["state"] == "degraded"
        assert health["device"]["selected"] == "cpu"
        assert health["device"]["reason"].startswith("the CPU serves: ")
        assert host.finish() == 0
