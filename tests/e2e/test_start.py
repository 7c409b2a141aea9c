"""What a host gets while the child loads: hello at once, health, shutdown, an ear for its end."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from bundle_under_test import EDITION
from raw_host import PATIENCE_S, assert_error, assert_result, pcm, time_to_end

from sidecar.tools.program import ARGV_VARIABLE, sidecar_argv

# Imports of the modules in HELD_IMPORTS wait for the file HELD_GATE, and say so.
HOLD_IMPORTS = """
import os, sys, time

class Hold:
    def find_spec(self, name, path=None, target=None):
        if name in os.environ.get("HELD_IMPORTS", "").split(","):
            os.write(2, f"held: {name}\\n".encode())
            while not os.path.exists(os.environ["HELD_GATE"]):
                time.sleep(0.002)

sys.meta_path.insert(0, Hold())
"""


@pytest.fixture
def start_held(start, sidecar_argv, tmp_path, gate):
    """Starts the real sidecar: ``start_held("numpy")`` imports it not before ``gate.touch()``."""
    if os.environ.get(ARGV_VARIABLE):
        pytest.skip(f"{ARGV_VARIABLE} names a program whose imports cannot be held")
    folder = tmp_path / "hold"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOLD_IMPORTS, "utf-8")

    def start_it(*modules):
        environment = {
            "PYTHONPATH": str(folder),
            "HELD_IMPORTS": ",".join(modules),
            "HELD_GATE": str(gate),
        }
        return start(sidecar_argv, environment=environment)

    return start_it


def test_hello_comes_before_anything_heavy_is_imported(start_held):
    host = start_held("onnxruntime", "numpy", "soundfile", "soxr", "psutil")
    hello = host.wait_for_hello()
    assert (hello["protocol"], hello["pid"]) == (1, host.process.pid)
    # The status needs psutil, and comes next.
    host.wait_for_log("held: psutil")
    assert len(host.messages) == 1


def test_it_serves_once_the_imports_are_done(start_held, gate):
    host = start_held("onnxruntime")
    host.wait_for_log("held: onnxruntime")
    embed = host.request("embed", {"audio": pcm()})
    assert assert_result(host.call("metrics"), "in_flight")["in_flight"] == 1
    assert host.states == ["loading"]
    gate.touch()
    host.wait_for_state("ready", "degraded")
    assert_result(host.answer(embed), "embedding")
    assert host.finish() == 0


def test_health_while_onnxruntime_is_imported(start_held):
    host = start_held("onnxruntime")
    host.wait_for_log("held: onnxruntime")
    health = assert_result(host.call("health"), "state", "reason", "process", "activity")
    assert health["state"] == "loading"
    assert health["device"] is None
    assert host.finish() == 0


def test_shutdown_while_onnxruntime_is_imported(start_held):
    host = start_held("onnxruntime")
    host.wait_for_log("held: onnxruntime")
    host.request("shutdown", request_id="bye")
    assert time_to_end(host.process) < 2
    assert host.wait() == 0
    assert_result(host.messages[-1], "finished", "cancelled")


def test_end_of_input_while_onnxruntime_is_imported(start_held):
    host = start_held("onnxruntime")
    host.wait_for_log("held: onnxruntime")
    queued = host.request("embed", {"audio": pcm()})
    host.close_input()
    assert time_to_end(host.process) < 2
    assert host.wait() == 0
    assert_error(host.answer(queued), -32800, "cancelled")


def test_deadline_while_onnxruntime_is_imported(start_held):
    host = start_held("onnxruntime")
    host.wait_for_log("held: onnxruntime")
    late = host.request("embed", {"audio": pcm(), "deadline_ms": 20})
    assert_error(host.answer(late), -32004, "deadline_exceeded")
    assert host.states == ["loading"]


@pytest.mark.posix("it has signals to send")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_while_onnxruntime_is_imported(start_held, signum):
    host = start_held("onnxruntime")
    host.wait_for_log("held: onnxruntime")
    host.process.send_signal(signum)
    assert time_to_end(host.process) < 2
    assert host.wait() == 0


def test_real_start_end_to_end(start, sidecar_argv):
    """Generous bounds: ``measure_start.py`` measures."""
    host = start(sidecar_argv)
    host.wait_until(lambda: host.notices("hello"), "no hello", timeout_s=5)
    host.wait_until(lambda: {"ready", "degraded"} & set(host.states), "not ready", PATIENCE_S)
    health = host.notices("health")[-1]
    assert health["device"]["self_test"]["passed"]
    assert health["model"]["embedding_dim"] > 0
    assert 0 < health["timings"]["imported_ms"] < health["timings"]["ready_ms"]
    phases = [progress["phase"] for progress in host.notices("progress")]
    assert phases[-2:] == ["warmup", "warmup"]
    assert host.messages[0].method == "hello"
    assert host.finish() == 0


@pytest.mark.linux("elsewhere every name of a folder is Unicode")
@pytest.mark.skipif(EDITION == "cpu", reason="the cpu edition has no torch")
def test_a_models_folder_whose_name_is_no_utf8_is_served_from(start, campplus_weights, tmp_path):
    models_dir = Path(os.fsdecode(os.fsencode(tmp_path) + b"/mod\xff"))
    weights = models_dir / "campplus-zh-en" / campplus_weights.name
    weights.parent.mkdir(parents=True)
    shutil.copyfile(campplus_weights, weights)
    argv = [*sidecar_argv(), "--model", "campplus-zh-en", "--models-dir", models_dir]
    host = start([*argv, "--runtime", "torch"])
    host.wait_for_state("ready")
    source = host.notices("health")[-1]["model"]["source"]
    assert source == rf"{tmp_path}/mod\udcff/campplus-zh-en/{campplus_weights.name}"
