"""Runs a converted network with OpenVINO, on the CPU; needs no torch."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sidecar.config import SAMPLE_RATE_HZ, Precision
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits
from sidecar.engine.cpu_fault import fault, first_line
from sidecar.engine.glibc_heap import give_back_what_is_free, keep_large_blocks_apart
from sidecar.engine.openvino_library import VERSION, ov
from sidecar.engine.padding import padded
from sidecar.hardware.cpu import default_threads
from sidecar.store.checksummed_file import read_checksummed, write_checksummed
from sidecar.store.converted_files import Converted

_log = logging.getLogger(__name__)

NAME = "openvino"

FloatArray = NDArray[np.float32]

_DEVICE = "CPU"
# How many pieces of compiled code are kept. For a network that takes every length as it is, each
# new length would take 3 to 5 MB for good; with ECAPA-TDNN, 16 gain a tenth where two lengths
# alternate, nothing where all are new, and take 40 MB more. For one that pads, they are worth
# keeping: few lengths come again and again.
_N_KEPT_CODES = 4
_N_KEPT_CODES_PADDING = 2000
# Windows of 0.5, 1, 1.5, 2, 3, 5 or 10 s are on the grid. With six or eight lengths in an octave it
# is as fast as with four, and takes 60 to 130 MB more.
# Four audios of a second take two thirds of their time together. But only of equal lengths, as
# windows are: each size of a batch needs code of its own, and the merely alike come too seldom.
_PADDING_LIMITS = BatchLimits(
    max_items=4,
    max_padded_samples=6 * SAMPLE_RATE_HZ,
    min_likeness=1.0,
    grid_samples=1000,
    grid_steps=4,
)
# Behind an audio longer than this the memory of what the network computed between is given back.
_LONG_SAMPLES = 20 * SAMPLE_RATE_HZ
# A network that compiles faster than this gains nothing from being kept compiled.
_SLOW_COMPILE_S = 0.25
_MAX_COMPILED = 4


class OpenVinoRuntime:
    """One converted network on the CPU, called by one thread.

    Its first part always computes in f32; ``precision`` is the second one's, f32 where this CPU has
    no instructions for the one that was wished.

    Args:
        converted: its files, checked.
        n_threads: None: see ``default_threads``.
        wished: the precision that was asked for.
    """

    name = NAME
    version = VERSION.partition("-")[0]
    device = "cpu"
    peak_reserved_bytes: int | None = None

    def __init__(self, converted: Converted, n_threads: int | None, wished: Precision) -> None:
        self.n_threads = n_threads or default_threads()
        with _faults():
            self._core = ov.Core()
            self.precision: Precision = (
                wished if wished.upper() in _capabilities(self._core) else "f32"
            )
            read = self._core.read_model(converted.first)
            self._pads = len(read.inputs) > 1
            if not self._pads:
                keep_large_blocks_apart()
            first = self._core.compile_model(read, _DEVICE, self._options("f32"))
            self.batch_limits = _PADDING_LIMITS if self._pads else ONE_BY_ONE
            self._second = self._compile(converted, self._options(self.precision))
            self._first_request = first.create_infer_request()
            self._second_request = self._second.create_infer_request()

    def embed(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """The embeddings, shape (n, dim), of n waveforms, each of a shape (n_samples,) of its own.

        Each embedding is what it would be alone.

        Raises:
            OutOfMemory: these waveforms do not fit together.
            DeviceError: OpenVINO failed.
        """
        longest = max(map(len, waveforms))
        with _faults():
            if self._pads:
                batch = padded(waveforms, self.batch_limits.padded_samples(longest))
                embeddings = self._run(*batch)
            else:
                alone = [self._run(np.ascontiguousarray(w[np.newaxis])) for w in waveforms]
                embeddings = np.concatenate(alone)
            if longest > _LONG_SAMPLES:
                self._second.release_memory()
        return embeddings

    def rest(self) -> None:
        """See ``Runtime``."""
        with _faults():
            self._second.release_memory()
        give_back_what_is_free()

    def _run(self, *inputs: NDArray[Any]) -> FloatArray:
        first, second = self._first_request, self._second_request
        for index, values in enumerate(inputs):
            first.set_input_tensor(index, ov.Tensor(values))
        first.infer()
        for index in range(len(inputs)):
            second.set_input_tensor(index, first.get_output_tensor(index))
        second.infer()
        embeddings: FloatArray = second.get_output_tensor().data.copy()
        return embeddings

    def _options(self, precision: Precision) -> dict[str, str]:
        n_kept_codes = _N_KEPT_CODES_PADDING if self._pads else _N_KEPT_CODES
        return {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(self.n_threads),
            # Pinned threads would share their cores with whatever else is pinned or busy there.
            "ENABLE_CPU_PINNING": "NO",
            "CPU_RUNTIME_CACHE_CAPACITY": str(n_kept_codes),
        }

    def _compile(self, converted: Converted, options: dict[str, str]) -> ov.CompiledModel:
        """Compile the second part, or take what such a CPU compiled with such options."""
        path = converted.compiled / _machine_key(self._core, options)
        kept = read_checksummed(path)
        if kept is not None:
            try:
                return self._core.import_model(io.BytesIO(kept), _DEVICE, options)
            except RuntimeError as error:
                _log.warning("%s cannot be used: %s", path, first_line(error))
        started_at = time.perf_counter()
        compiled = self._core.compile_model(converted.second, _DEVICE, options)
        if time.perf_counter() - started_at > _SLOW_COMPILE_S:
            write_checksummed(path, compiled.export_model().getvalue())
            _remove_all_but_newest(path.parent)
        return compiled


def has_instructions_for(precision: Precision) -> bool:
    """Whether this CPU has them, as OpenVINO sees it."""
    return precision.upper() in _capabilities(ov.Core())


def _capabilities(core: ov.Core) -> list[str]:
    found: list[str] = core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
    return found


def _machine_key(core: ov.Core, options: dict[str, str]) -> str:
    """A name for this release of OpenVINO on this processor with these options."""
    machine = (
        VERSION,
        core.get_property(_DEVICE, "FULL_DEVICE_NAME"),
        sorted(_capabilities(core)),
        os.environ.get("ONEDNN_MAX_CPU_ISA"),
        sorted(options.items()),
    )
    return hashlib.sha256(repr(machine).encode()).hexdigest()[:16]


def _remove_all_but_newest(folder: Path) -> None:
    with suppress(OSError):
        for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-_MAX_COMPILED]:
            old.unlink()


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        raise fault("OpenVINO", error) from error
