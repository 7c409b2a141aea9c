"""Runs a network with torch, on the CPU or on CUDA. This is the CPU reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from protocol.errors import DeviceError, OutOfMemory
from sidecar.config import Precision
from sidecar.engine.batch_limits import TORCH_CPU_LIMITS, BatchLimits, cuda_limits
from sidecar.engine.glibc_heap import give_back_what_is_free
from sidecar.engine.padding import padded
from sidecar.hardware.cpu import default_threads

NAME = "torch"
VERSION: str = torch.__version__

FloatArray = NDArray[np.float32]
# Waveforms [batch, n_samples], and where they do not fill it their lengths, to embeddings
# [batch, dim].
Network: TypeAlias = nn.Module


class TorchRuntime:
    """One network on one device, called by one thread.

    Args:
        network: moved to ``device``.
        device: ``cpu`` or ``cuda:N``.
        n_threads: for the CPU's work; None: see ``default_threads``.
    """

    name = NAME
    version = VERSION
    precision: Precision = "f32"

    def __init__(self, network: Network, device: str, n_threads: int | None) -> None:
        self.device = device
        # The most GPU memory that torch's allocator held so far; None on the CPU. Kept here, since
        # to ask the allocator can block behind a device call that hangs.
        self.peak_reserved_bytes: int | None = None
        self._torch_device = torch.device(device)
        self.n_threads = n_threads or default_threads()
        torch.set_num_threads(self.n_threads)
        if self._torch_device.type == "cuda":
            _set_up_cuda()
        with self._faults():
            self._network = network.to(self._torch_device).eval()
            # By the memory that is free beside the network.
            self.batch_limits: BatchLimits = self._limits()

    def embed(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """The embeddings, shape (n, dim), of n waveforms, each of a shape (n_samples,) of its own.

        They pass through the network as one batch; each embedding is what it would be alone.

        Raises:
            OutOfMemory: these waveforms do not fit together.
            DeviceError: the device failed, and with it this process's use of it.
        """
        with self._faults(), torch.inference_mode():
            n_samples = self.batch_limits.padded_samples(max(map(len, waveforms)))
            batch = [tensor.to(self._torch_device) for tensor in _batch(waveforms, n_samples)]
            embeddings: FloatArray = self._network(*batch).cpu().numpy()
            if self._torch_device.type == "cuda":
                self.peak_reserved_bytes = torch.cuda.max_memory_reserved(self._torch_device)
        return embeddings

    def rest(self) -> None:
        """See ``Runtime``. A GPU's memory stays: to reserve it anew takes long."""
        give_back_what_is_free()

    def _limits(self) -> BatchLimits:
        if self._torch_device.type == "cpu":
            return TORCH_CPU_LIMITS
        free_bytes, _ = torch.cuda.mem_get_info(self._torch_device)
        return cuda_limits(free_bytes)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise OutOfMemory(
                    f"{self.device} has too little memory for this audio: send a shorter one"
                ) from error
            # A CUDA error poisons its process, and oneDNN without memory what it has cached.
            raise DeviceError(f"{self.device} failed: {_first_line(error)}") from error


# What torch, the C++ library, cuBLAS and cuDNN (for its workspace) say without memory; lower case.
_MEMORY_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "bad_alloc",
    "bad allocation",
    "_status_alloc_failed",
    "unable to find an engine to execute this computation",
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` means that less work at once may fit."""
    text = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        known in text for known in _MEMORY_TEXTS
    )


def _batch(waveforms: Sequence[FloatArray], n_samples: int) -> Iterator[Tensor]:
    """The padded waveforms; their lengths, if there are zeros."""
    batch, lengths = padded(waveforms, n_samples)
    yield torch.from_numpy(batch)
    if lengths.min() < n_samples:
        yield torch.from_numpy(lengths)


def _set_up_cuda() -> None:
    # TF32 keeps 10 bits of the mantissa: embeddings would depend on the device.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    # It would time all algorithms anew for each new length of audio, and every length is new.
    torch.backends.cudnn.benchmark = False


def reference_embeddings(network: Network, waveforms: Sequence[FloatArray]) -> NDArray[np.float64]:
    """The embedding of each waveform alone, (n, dim), computed on the CPU in float64."""
    network = network.double()
    with torch.inference_mode():
        alone = [torch.from_numpy(samples).double().unsqueeze(0) for samples in waveforms]
        return np.concatenate([network(waveform).numpy() for waveform in alone])


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
