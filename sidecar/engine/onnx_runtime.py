"""Runs a converted network with ONNX Runtime, on the CPU; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ, Precision
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits
from sidecar.engine.cpu_fault import fault
from sidecar.engine.glibc_heap import give_back_what_is_free
from sidecar.engine.onnx_library import VERSION, ort
from sidecar.hardware.cpu import default_threads
from sidecar.store.converted_files import Converted

NAME = "onnxruntime"
_TITLE = "ONNX Runtime"

FloatArray = NDArray[np.float32]

# Four audios of a second take three quarters of their time together, and windows come by the
# dozen. Only those of one length: there are no masks.
_BATCHES = BatchLimits(max_items=4, max_padded_samples=6 * SAMPLE_RATE_HZ, min_likeness=1.0)
# How long a thread without work looks for some before it sleeps, where a layer takes 20 to 500 us.
# Without any wait two threads take half as long again, and with the default one, of milliseconds,
# three times as long while other programs are busy on the same cores.
_SPIN_US = 50
# Behind an audio longer than this the memory of what the network computed between is given back.
_LONG_SAMPLES = 20 * SAMPLE_RATE_HZ
_SHORT_SAMPLES = SAMPLE_RATE_HZ // 2
_ERRORS_ONLY = 3


class OnnxRuntime:
    """One converted network on the CPU, called by one thread.

    Args:
        converted: its files, checked.
        n_threads: None: see ``default_threads``.
        precision: that of the files.
    """

    name = NAME
    version = VERSION
    device = "cpu"
    peak_reserved_bytes: int | None = None

    def __init__(
        self, converted: Converted, n_threads: int | None, precision: Precision = "f32"
    ) -> None:
        self.precision: Precision = precision
        self.n_threads = n_threads or default_threads()
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.n_threads
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN_US))
        # It would plan the memory of every length it meets, and keep the plan.
        options.enable_mem_pattern = False
        options.log_severity_level = _ERRORS_ONLY
        self._giving_back = ort.RunOptions()
        self._giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        try:
            self._session = ort.InferenceSession(
                str(converted.network), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors have no other base class
            raise fault(_TITLE, error) from error
        # While a session is made, it holds weights in up to three forms.
        give_back_what_is_free()
        [waveforms] = self._session.get_inputs()
        self._input = waveforms.name
        self.batch_limits = ONE_BY_ONE if waveforms.shape[0] == 1 else _BATCHES

    def embed(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """The embeddings, shape (n, dim), of n waveforms, each of a shape (n_samples,) of its own.

        Each embedding is what it would be alone.

        Raises:
            OutOfMemory: these waveforms do not fit together.
            DeviceError: ONNX Runtime failed.
        """
        if len(waveforms) == 1:
            return self._run(waveforms[0][np.newaxis])
        if self.batch_limits.max_items > 1 and len({len(w) for w in waveforms}) == 1:
            return self._run(np.stack(waveforms))
        return np.concatenate([self._run(waveform[np.newaxis]) for waveform in waveforms])

    def rest(self) -> None:
        """See ``Runtime``."""
        # What is kept between two calls goes at the end of one.
        self._run(np.zeros((1, _SHORT_SAMPLES), np.float32), self._giving_back)
        give_back_what_is_free()

    def _run(self, batch: FloatArray, options: ort.RunOptions | None = None) -> FloatArray:
        if batch.size > _LONG_SAMPLES:
            options = self._giving_back
        try:
            [embeddings] = self._session.run(None, {self._input: batch}, options)
        except Exception as error:  # its errors have no other base class
            raise fault(_TITLE, error) from error
        return np.asarray(embeddings, np.float32)
