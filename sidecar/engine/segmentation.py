"""Who speaks when in a chunk of ten seconds: the segmentation network, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.errors import DeviceError
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.engine import device_check
from sidecar.engine.cpu_fault import fault
from sidecar.engine.onnx_library import ort
from sidecar.store.catalog import SEGMENTATION
from sidecar.store.converted_files import ONNX_OPSET, Converted, Origin

CHUNK_SAMPLES = 10 * SAMPLE_RATE_HZ
# Of probabilities: two f32 computations of the network differ by 1e-4 at most.
MAX_DIFFERENCE = 1e-3
_TITLE = "ONNX Runtime"
_ERRORS_ONLY = 3

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]


class Segmenter:
    """The network, which threads may share; it has passed its self-test.

    Raises:
        DeviceError: ONNX Runtime failed, or computes something else than torch did.
    """

    def __init__(self, converted: Converted) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = ort.InferenceSession(
                str(converted.network), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no other base class
            raise fault(_TITLE, error) from error
        heard = np.stack([self.hear(chunk) for chunk in probes()])
        difference = np.abs(np.exp(heard) - np.exp(references(converted))).max()
        if not difference <= MAX_DIFFERENCE:
            raise DeviceError(
                f"the segmentation network computes something else than torch: probabilities "
                f"differ by {difference:.1e}, at most {MAX_DIFFERENCE:.0e} are allowed",
                kind="self_test_failed",
            )

    def hear(self, chunk: FloatArray) -> FloatArray:
        """The logarithms of the classes' probabilities in each frame, shape (589, 7).

        Args:
            chunk: samples, shape (n_samples,), ``CHUNK_SAMPLES`` at most; silence follows fewer.
        """
        padded = np.zeros((1, CHUNK_SAMPLES), np.float32)
        padded[0, : len(chunk)] = chunk
        try:
            [heard] = self._session.run(None, {"waveforms": padded})
        except Exception as error:  # its errors have no other base class
            raise fault(_TITLE, error) from error
        frames: FloatArray = heard[0]
        return frames


def fingerprint() -> str:
    """Names the weights of the catalog."""
    [file] = SEGMENTATION.files
    return f"{SEGMENTATION.id}.{file.sha256[:16]}"


def converted_origin(made_by: str) -> Origin:
    """What the conversion of the weights with the fingerprint ``made_by`` depends on."""
    reference = device_check.reference_name(made_by)
    return Origin(made_by, "onnxruntime", f"opset {ONNX_OPSET}", reference)


def probes() -> list[FloatArray]:
    """The chunks of the self-test: a voice that repeats itself, and a shorter one."""
    return [np.resize(waveform, CHUNK_SAMPLES) for waveform in device_check.waveforms()]


def references(converted: Converted) -> DoubleArray:
    """What torch heard in the ``probes``, shape (2, 589, 7)."""
    return converted.references().reshape(len(probes()), -1, 7)
