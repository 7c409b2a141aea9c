"""The graph that hears speech, and the weights that it is given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sidecar.speech.network import GRAPH, folded, weights

SCRIPT = Path(__file__).parents[1] / "model" / "make_speech_graph.py"


def test_the_graph_is_what_its_script_makes():
    onnx = pytest.importorskip("onnx")
    made = subprocess.run(
        [sys.executable, "-c", f"import runpy; m = runpy.run_path({str(SCRIPT)!r})['model']();"
         "import sys; sys.stdout.buffer.write(m.SerializeToString())"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert onnx.load_from_string(made) == onnx.load(GRAPH, load_external_data=False)


def test_a_file_that_was_cut_has_no_weights(tmp_path):
    path = tmp_path / "silero.onnx"
    path.write_bytes(bytes(1_000_000))
    with pytest.raises(ValueError, match="buffer"):
        weights(path)


def test_a_folded_frame_has_the_sums_and_differences_about_its_middle():
    steps = np.random.default_rng(0).standard_normal((3, 576)).astype(np.float32)
    mirrored = np.pad(steps, ((0, 0), (0, 64)), mode="reflect")
    sums, differences = folded(steps)
    for number in range(4):
        frames = mirrored[:, number * 128 :][:, :256]
        for place, k in enumerate(range(127, -1, -1)):
            before, behind = frames[:, 128 - k], frames[:, 128 + k]
            np.testing.assert_array_equal(sums[number, :, place], before + behind)
            np.testing.assert_array_equal(differences[number, :, place], before - behind)
