"""An utterance's embedding is the same alone and in a padded batch, whatever its neighbours are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model.seeded_ecapa import write_checkpoint
from mutations import number_from
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cosine_similarity
from torch.nn.utils.rnn import pad_sequence

from protocol.errors import DeviceError, OutOfMemory
from sidecar.engine import torch_runtime
from sidecar.engine.torch_runtime import TorchRuntime
from sidecar.networks import (
    campplus,
    campplus_context,
    campplus_head,
    ecapa,
    ecapa_layers,
    kaldi_fbank,
    speechbrain_fbank,
)
from sidecar.networks.valid_frames import ValidFrames, zero_behind

N_RANDOM_BATCHES = number_from("BATCH_EXAMPLES", 6)
MIN_COSINE = 0.999999
MAX_DIFFERENCE = 1e-5
LONGEST_SAMPLES = 320_000  # 20 s
SPEECH = Path(__file__).resolve().parents[2].parent / "shared" / "audio" / "librispeech"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    # OpenMP's threads spin while they wait: on a busy machine, two take longer than one.
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def ecapa_model(tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    return ecapa.load(write_checkpoint(tmp_path_factory.mktemp("ecapa")))


@pytest.fixture(scope="module")
def campplus_model(campplus_weights: Path) -> nn.Module:
    return campplus.load(campplus_weights)


@pytest.fixture(scope="module", params=[ecapa, campplus], ids=["ecapa", "campplus"])
def network(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture(scope="module")
def model(network: ModuleType, request: pytest.FixtureRequest) -> nn.Module:
    return request.getfixturevalue(f"{network.__name__.rpartition('.')[2]}_model")


# ---- What "the same" means ----


@dataclass(frozen=True, slots=True)
class Agreement:
    """The worst of a batch's embeddings against those of its utterances alone.

    ``max_difference`` is that of one component, in units of the embedding's norm. The centred
    cosine is taken without each set's mean: what all embeddings share would hide that they differ.
    """

    min_cosine: float
    min_centred_cosine: float
    max_difference: float

    @property
    def holds(self) -> bool:
        return (
            self.min_cosine >= MIN_COSINE
            and self.min_centred_cosine >= MIN_COSINE
            and self.max_difference <= MAX_DIFFERENCE
        )


def agreement(batched: Tensor, alone: Tensor) -> Agreement:
    batched, alone = batched.double(), alone.double()
    centred = cosine_similarity(batched - batched.mean(dim=0), alone - alone.mean(dim=0))
    difference = (batched - alone).abs().amax(dim=1) / alone.norm(dim=1)
    return Agreement(
        min_cosine=cosine_similarity(batched, alone).min().item(),
        min_centred_cosine=centred.min().item(),
        max_difference=difference.max().item(),
    )


@torch.inference_mode()
def embed_batch(model: nn.Module, utterances: Sequence[Tensor]) -> Tensor:
    n_samples = torch.tensor([len(utterance) for utterance in utterances])
    embeddings: Tensor = model(pad_sequence(list(utterances), batch_first=True), n_samples)
    return embeddings


@torch.inference_mode()
def embed_alone(model: nn.Module, utterances: Sequence[Tensor]) -> Tensor:
    return torch.cat([model(utterance.unsqueeze(0)) for utterance in utterances])


@lru_cache
def noise(n_samples: int, seed: int) -> Tensor:
    """A quarter of silence, then faint noise, and at the very end a click, louder than all else.

    So a frame that reaches over the end is the loudest, which lifts the floor under the silence.
    """
    random = np.random.default_rng((seed, n_samples))
    colour = random.normal(size=32) * np.exp(-np.arange(32) / random.uniform(2, 16))
    samples = np.convolve(random.normal(size=n_samples), colour, mode="same")
    samples *= 0.01 / samples.std()
    samples[: n_samples // 4] = 0
    samples[-1] = 1
    return torch.from_numpy(samples).float()


def noises(lengths: Sequence[int]) -> list[Tensor]:
    return [noise(n_samples, seed) for seed, n_samples in enumerate(lengths)]


# ---- Lengths ----

KALDI_SECOND = 400 + 98 * 160  # 99 frames; one sample fewer gives 98
TWO_SEGMENTS = 400 + 200 * 160  # 201 frames, 101 after CAM++'s stride: the second segment has one

LENGTHS = {
    "the shortest beside 20 s": (None, LONGEST_SAMPLES),
    "the shortest beside others": (None, 16_000, None, 4000),
    "around a frame's border": (
        15_999,
        16_000,
        16_001,
        KALDI_SECOND - 1,
        KALDI_SECOND,
        KALDI_SECOND + 1,
    ),
    "around a segment's border": (
        TWO_SEGMENTS - 321,
        TWO_SEGMENTS - 320,
        TWO_SEGMENTS - 1,
        TWO_SEGMENTS,
        TWO_SEGMENTS + 320,
        80_000,
    ),
    "all equal": (16_000, 16_000, 16_000),
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_these_lengths(
    lengths: Sequence[int | None], model: nn.Module, network: ModuleType
) -> None:
    utterances = noises([n or network.MIN_SAMPLES for n in lengths])
    found = agreement(embed_batch(model, utterances), embed_alone(model, utterances))
    assert found.holds, found


# From 0, the shortest, to 1, 20 s, on a logarithmic scale.
@settings(max_examples=N_RANDOM_BATCHES, deadline=None, database=None)
@given(durations=st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_any_lengths(durations: list[float], model: nn.Module, network: ModuleType) -> None:
    shortest = network.MIN_SAMPLES
    lengths = [round(shortest * (LONGEST_SAMPLES / shortest) ** at) for at in durations]
    utterances = noises(lengths)
    found = agreement(embed_batch(model, utterances), embed_alone(model, utterances))
    assert found.holds, found


def test_speech(model: nn.Module, network: ModuleType) -> None:
    paths = sorted(SPEECH.glob("*/*.flac"))[::10]
    if not paths:
        pytest.skip(f"no speech under {SPEECH}")
    lengths = (network.MIN_SAMPLES, 8000, 20_000, 40_123, 80_000)
    utterances = [
        torch.from_numpy(soundfile.read(path, dtype="float32")[0][16_000 : 16_000 + n_samples])
        for path, n_samples in zip(paths, lengths, strict=True)
    ]
    found = agreement(embed_batch(model, utterances), embed_alone(model, utterances))
    assert found.holds, found


def test_order_of_neighbours_is_the_order_of_embeddings(model: nn.Module) -> None:
    utterances = noises((4000, 9000, 6000))
    forwards, backwards = embed_batch(model, utterances), embed_batch(model, utterances[::-1])
    assert agreement(backwards.flip(0), forwards).holds
    assert not agreement(backwards, forwards).holds


def test_double_precision_agrees_to_its_own_rounding(model: nn.Module) -> None:
    double = copy.deepcopy(model).double()
    utterances = [utterance.double() for utterance in noises((1000, 8001, 36_000))]
    batched = embed_batch(double, utterances)
    assert batched.dtype == torch.float64
    assert agreement(batched, embed_alone(double, utterances)).max_difference < 1e-13


def test_padding_behind_the_longest_changes_nothing(model: nn.Module) -> None:
    utterances = noises((4000, 16_000))
    padded, n_samples = zeros_up_to(20_000, utterances)
    with torch.inference_mode():
        embeddings = model(padded, n_samples)
    assert agreement(embeddings, embed_alone(model, utterances)).holds


def zeros_up_to(n_samples: int, utterances: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    filled = [functional.pad(u, (0, n_samples - len(u))) for u in utterances]
    return torch.stack(filled), torch.tensor([len(u) for u in utterances])


# ---- Hostile neighbours ----


@pytest.mark.parametrize("value", [1e30, torch.inf, torch.nan])
def test_a_neighbour_that_overflows_is_alone_with_it(value: float, model: nn.Module) -> None:
    first, broken, last = noises((16_000, 8000, 36_000))
    broken = broken.clone()
    broken[4000:] = value
    embeddings = embed_batch(model, [first, broken, last])
    assert not embeddings[1].isfinite().any()
    assert agreement(embeddings[::2], embed_alone(model, [first, last])).holds


def test_samples_that_fill_no_frame_do_not_count(
    campplus_model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Behind Kaldi's last whole frame; in a batch, a frame that is nobody's reads them.
    first, last = noises((KALDI_SECOND, 36_000))
    longer = torch.cat((first, torch.full((159,), 1e30)))
    alone = embed_alone(campplus_model, [first, last])
    assert agreement(embed_batch(campplus_model, [longer, last]), alone).holds
    frames_behind_sound(kaldi_fbank)(monkeypatch)
    assert not agreement(embed_batch(campplus_model, [longer, last]), alone).holds


# ---- What the comparison catches ----

Patch = pytest.MonkeyPatch
Mutate = Callable[[Patch], None]


def forgets_ends(module: ModuleType, name: str, n_channels: int | None = None) -> Mutate:
    """Let a function take all frames of the batch for valid, on so many channels or on all."""
    function = getattr(module, name)

    def mutant(x: Tensor, *arguments: object) -> Tensor:
        *between, valid = arguments
        is_meant = n_channels in {None, x.shape[1]}
        result: Tensor = function(x, *between, None if is_meant else valid)
        return result

    return lambda patch: patch.setattr(module, name, mutant)


def skips_zeros(site: int) -> Mutate:
    """Leave out one of CAM++'s calls of ``zero_behind``, by its number within a pass."""

    def mutate(patch: Patch) -> None:
        calls = count()
        replace_zeros(patch, lambda x, valid: x if next(calls) == site else zero_behind(x, valid))

    return mutate


def replace_zeros(patch: Patch, mutant: Callable[[Tensor, ValidFrames | None], Tensor]) -> None:
    """Let all of CAM++ call ``mutant`` in place of ``zero_behind``."""
    for module in (campplus, campplus_head):
        patch.setattr(module, "zero_behind", mutant)


def segments_of_100(patch: Patch) -> None:
    patch.setattr(campplus_context, "segment_weights", lambda segments, _: segments / 100)


def one_frame_too_few(module: ModuleType) -> Mutate:
    count_frames = module.count_frames
    return lambda patch: patch.setattr(
        module, "count_frames", lambda n_samples: count_frames(n_samples) - 1
    )


def frames_behind_sound(module: ModuleType) -> Mutate:
    return lambda patch: patch.setattr(module, "valid_frames", lambda *_: None)


ECAPA_MUTANTS = {
    "frames behind the end sound": frames_behind_sound(speechbrain_fbank),
    "one frame too few": one_frame_too_few(ecapa),
    "the features' mean": forgets_ends(ecapa, "mean_over_time", n_channels=80),
    "the first convolution's reflection": forgets_ends(ecapa_layers, "reflect_pad", n_channels=80),
    "Res2Net's reflection": forgets_ends(ecapa_layers, "reflect_pad", n_channels=128),
    "squeeze-excitation": forgets_ends(ecapa, "mean_over_time", n_channels=1024),
    "the attention's context": forgets_ends(ecapa, "frame_weights"),
    "the attention": forgets_ends(ecapa, "softmax_over_time"),
}

HEAD_SITES = range(1, 11)
LAST_SITE = 10 + 12 + 24 + 16

CAMPPLUS_MUTANTS = {
    "one frame too few": one_frame_too_few(campplus),
    "the features' mean": forgets_ends(campplus, "mean_over_time", n_channels=80),
    "zeros behind the features": skips_zeros(0),
    **{f"zeros in the head: {site}": skips_zeros(site) for site in HEAD_SITES},
    "zeros in the first D-TDNN layer": skips_zeros(11),
    "zeros in the last D-TDNN layer": skips_zeros(LAST_SITE),
    "the masks' mean": forgets_ends(campplus_context, "frame_weights"),
    "segments' frames": forgets_ends(campplus_context, "segment_weights"),
    "segments of 100 frames": segments_of_100,
    "statistics": forgets_ends(campplus, "statistics_pooling"),
}

# Of 160 n - 1: the last sample lies as far as can be from SpeechBrain's last frame, and nearest to
# the one behind.
REVEALING = (5119, 8159, 33_119, 40_000)


@pytest.mark.parametrize("mutate", ECAPA_MUTANTS.values(), ids=ECAPA_MUTANTS.keys())
def test_comparison_catches_in_ecapa(
    mutate: Mutate, ecapa_model: nn.Module, monkeypatch: Patch
) -> None:
    assert not with_mutant(mutate, ecapa_model, monkeypatch).holds


@pytest.mark.parametrize("mutate", CAMPPLUS_MUTANTS.values(), ids=CAMPPLUS_MUTANTS.keys())
def test_comparison_catches_in_campplus(
    mutate: Mutate, campplus_model: nn.Module, monkeypatch: Patch
) -> None:
    assert not with_mutant(mutate, campplus_model, monkeypatch).holds


def with_mutant(mutate: Mutate, model: nn.Module, patch: Patch) -> Agreement:
    alone = embed_alone(model, noises(REVEALING))
    mutate(patch)
    found = agreement(embed_batch(model, noises(REVEALING)), alone)
    print(found)
    return found


def test_the_last_zeros_are_those_of_the_last_layer(
    campplus_model: nn.Module, monkeypatch: Patch
) -> None:
    calls = []
    replace_zeros(monkeypatch, lambda x, valid: calls.append(x.dim()) or zero_behind(x, valid))
    embed_batch(campplus_model, noises((800, 900)))
    assert calls == [3, *[4] * len(HEAD_SITES), *[3] * (12 + 24 + 16)]


# ---- The runtime ----


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
