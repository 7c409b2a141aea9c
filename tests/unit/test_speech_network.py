"""The graph that hears speech, and the weights that it is given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.speech.network import GRAPH, weights

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
