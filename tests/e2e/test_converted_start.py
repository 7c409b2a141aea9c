"""A start on the CPU: the first converts, the next needs no torch."""

from __future__ import annotations

import os
import shutil

import pytest
from raw_host import assert_result, pcm

from sidecar.tools.program import ARGV_VARIABLE

pytest.importorskip("sidecar.engine.onnx_library")
pytestmark = pytest.mark.skipif(
    bool(os.environ.get(ARGV_VARIABLE)),
    reason=f"{ARGV_VARIABLE} names a program whose imports cannot be forbidden",
)

FORBID_IMPORTS = """
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchaudio", "speechbrain"}:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Forbid())
"""
CONVERT_S = 300


@pytest.fixture(scope="module")
def models_dir(campplus_weights, tmp_path_factory):
    made = tmp_path_factory.mktemp("models")
    (made / "campplus-zh-en").mkdir()
    shutil.copy(campplus_weights, made / "campplus-zh-en")
    return made


@pytest.fixture
def start_it(start, sidecar_argv, models_dir, tmp_path):
    """Starts the real sidecar with CAM++ on the CPU, without torch unless ``has_torch``."""
    (tmp_path / "sitecustomize.py").write_text(FORBID_IMPORTS, "utf-8")

    def start_one(*options, has_torch=False):
        argv = [*sidecar_argv, "--models-dir", str(models_dir), "--offline", "--device", "cpu"]
        environment = {} if has_torch else {"PYTHONPATH": str(tmp_path)}
        return start([*argv, *options], environment=environment)

    return start_one


def phases(host):
    return [progress["phase"] for progress in host.notices("progress")]


def wait_until_ready(host, timeout_s=CONVERT_S):
    host.wait_until(
        lambda: {"ready", "degraded", "failed"} & set(host.states), "not ready", timeout_s
    )
    return host.notices("health")[-1]


@pytest.fixture(scope="module")
def embeddings():
    return {}


def test_a_stop_ends_the_conversion(start_it):
    host = start_it(has_torch=True)
    host.wait_until(lambda: "convert" in phases(host), "it does not convert", CONVERT_S)
    host.close_input()
    assert host.wait() == 0


def test_the_first_start_converts_and_says_how_far_it_is(start_it, embeddings):
    host = start_it(has_torch=True)
    health = wait_until_ready(host)
    assert health["device"]["runtime"].startswith("onnxruntime ")
    told = [notice for notice in host.notices("progress") if notice["phase"] == "convert"]
    assert [notice["done"] for notice in told] == sorted(notice["done"] for notice in told)
    assert told[-1] == {"phase": "convert", "done": 5, "total": 5, "unit": "steps"}
    embeddings["first"] = assert_result(host.call("embed", {"audio": pcm(0.5)}), "embedding")
    assert host.finish() == 0


def test_the_second_does_not_and_needs_no_torch(start_it, embeddings):
    host = start_it()
    device = wait_until_ready(host)["device"]
    assert set(phases(host)) == {"load", "warmup"}
    assert device["runtime"].startswith("onnxruntime ")
    assert (device["selected"], device["precision"], device["threads"]) == ("cpu", "f32", 1)
    assert device["reason"] == "the CPU serves, as --device cpu asks"
    assert device["self_test"]["passed"]
    assert device["self_test"]["cosine"] > 0.999999
    again = assert_result(host.call("embed", {"audio": pcm(0.5)}), "embedding")
    assert again["fingerprint"] == embeddings["first"]["fingerprint"]
    assert again["embedding"] == embeddings["first"]["embedding"]
    assert host.finish() == 0


def test_the_precision_that_was_asked_for_is_reported(start_it):
    pytest.importorskip("sidecar.engine.openvino_library")
    device = wait_until_ready(start_it("--precision", "bf16", has_torch=True))["device"]
    has_bf16 = device["precision"] == "bf16"
    remark = "" if has_bf16 else "; in f32, since this CPU has no bf16 instructions"
    assert device["runtime"].startswith("openvino " if has_bf16 else "onnxruntime ")
    assert device["reason"] == f"the CPU serves, as --device cpu asks{remark}"


def test_a_damaged_file_is_made_anew(start_it, models_dir):
    [network] = models_dir.glob(".converted/*/network.onnx")
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    host = start_it(has_torch=True)
    assert wait_until_ready(host)["device"]["runtime"].startswith("onnxruntime ")
    assert "convert" in phases(host)


def test_torch_can_be_demanded(start_it):
    device = wait_until_ready(start_it("--runtime", "torch", has_torch=True))["device"]
    assert device["runtime"].startswith("torch ")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_where_nothing_can_be_converted_a_runtime_cannot_be_demanded(start_it, models_dir, runtime):
    shutil.rmtree(models_dir / ".converted", ignore_errors=True)
    host = start_it("--runtime", runtime)  # and no torch
    health = wait_until_ready(host)
    assert health["state"] == "failed"
    assert (
        f"--runtime {runtime} is unavailable: the model could not be converted" in health["reason"]
    )
    assert "torch is forbidden here" in health["reason"]
    assert host.wait() == 69
