"""The network that hears speech, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from protocol.errors import ModelUnavailable
from sidecar.audio.resampling import FloatArray
from sidecar.engine.cpu_fault import first_line
from sidecar.engine.onnx_library import ort
from sidecar.speech.listening import Listening, Memory
from sidecar.speech.network import GRAPH, folded, weights

_ERRORS_ONLY = 3


class SpeechDetector:
    """Silero VAD 6.2, loaded once and shared by threads: each audio has a ``Listening``.

    Args:
        published: ``silero_vad_16k_sequence.onnx``, whose hash was checked.

    Raises:
        ModelUnavailable: it cannot be read, or ONNX Runtime cannot load it.
    """

    def __init__(self, published: Path) -> None:
        options = ort.SessionOptions()
        # The thread that calls: it is done in a hundredth of the audio's time at most, and the
        # others are the embeddings'.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Both would keep the memory of the longest piece for good.
        options.enable_mem_pattern = options.enable_cpu_mem_arena = False
        options.log_severity_level = _ERRORS_ONLY
        try:
            given = weights(published)
            options.add_external_initializers(
                list(given), [ort.OrtValue.ortvalue_from_numpy(one) for one in given.values()]
            )
            self._session = ort.InferenceSession(
                GRAPH.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no other base class
            raise ModelUnavailable(
                f"{published}, which hears speech, cannot be loaded: {first_line(error)}"
            ) from error

    def listen(self) -> Listening:
        """Begin with an audio."""
        return Listening(self._judge)

    def _judge(self, steps: FloatArray, memory: Memory) -> tuple[FloatArray, Memory]:
        sums, differences = folded(steps)
        h, c = memory
        given = {"sums": sums, "differences": differences, "h": h, "c": c}
        probabilities, h, c = self._session.run(None, given)
        return np.asarray(probabilities, np.float32), (h, c)
