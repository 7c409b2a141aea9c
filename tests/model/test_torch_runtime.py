"""The runtime on torch: what it gives the network, and what it makes of the network's faults."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model.batch_agreement import agreement, embed_alone, noises
from torch import Tensor, nn

from protocol.errors import DeviceError, OutOfMemory
from sidecar.engine import torch_runtime
from sidecar.engine.torch_runtime import TorchRuntime

pytestmark = pytest.mark.usefixtures("one_thread")


class Recorder(nn.Module):
    """Keeps what it is given."""

    def forward(self, *given: Tensor) -> Tensor:
        self.given = given
        return given[0][:, :1]


def test_the_runtime_gives_lengths_where_they_differ() -> None:
    recorder = Recorder()
    runtime = TorchRuntime(recorder, "cpu", 1)
    long, short = np.ones(5, np.float32), np.ones(3, np.float32)
    assert runtime.embed([short]).shape == (1, 1)
    assert [given.tolist() for given in recorder.given] == [[[1, 1, 1]]]
    runtime.embed([short, short])
    assert [given.shape for given in recorder.given] == [(2, 3)]
    runtime.embed([short, long])
    assert [given.tolist() for given in recorder.given] == [
        [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
        [3, 5],
    ]


def test_on_a_grid_the_runtime_gives_lengths_unless_they_fill_it() -> None:
    waveforms = [np.ones(n, np.float32) for n in (5, 8)]
    padded, lengths = torch_runtime._batch(waveforms, 12)
    assert padded.shape == (2, 12)
    assert lengths.tolist() == [5, 8]
    [filled] = torch_runtime._batch([np.ones(12, np.float32)], 12)
    assert filled.tolist() == [[1.0] * 12]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"
        ),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=lambda error: str(error)[:30],
)
def test_whatever_the_runtime_says_without_memory_can_be_halved(error: Exception) -> None:
    class Failing(nn.Module):
        def forward(self, *_: Tensor) -> Tensor:
            raise error

    with pytest.raises(OutOfMemory, match="too little memory"):
        TorchRuntime(Failing(), "cpu", 1).embed([np.ones(5, np.float32)])


@pytest.mark.parametrize("text", ["could not create a primitive", "an illegal memory access"])
def test_any_other_fault_of_the_runtime_is_the_devices(text: str) -> None:
    class Failing(nn.Module):
        def forward(self, *_: Tensor) -> Tensor:
            raise RuntimeError(text)

    with pytest.raises(DeviceError, match=text):
        TorchRuntime(Failing(), "cpu", 1).embed([np.ones(5, np.float32)])


def test_the_runtime_embeds_a_batch_as_each_alone(model: nn.Module) -> None:
    utterances = noises((3000, 9000, 6000))
    runtime = TorchRuntime(model, "cpu", 1)
    waveforms = [utterance.numpy() for utterance in utterances]
    embeddings = runtime.embed(waveforms)
    assert embeddings.shape == (3, 192)
    assert agreement(torch.from_numpy(embeddings), embed_alone(model, utterances)).holds
