"""An utterance's embedding is the same alone and in a padded batch, whatever its neighbours are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model.batch_agreement import agreement, embed_alone, embed_batch, noises
from mutations import number_from
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks import kaldi_fbank

pytestmark = pytest.mark.usefixtures("one_thread")

N_RANDOM_BATCHES = number_from("BATCH_EXAMPLES", 6)
LONGEST_SAMPLES = 320_000  # 20 s
SPEECH = Path(__file__).resolve().parents[2].parent / "shared" / "audio" / "librispeech"


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
    batched, alone = embed_batch(model, utterances), embed_alone(model, utterances)
    found = agreement(batched, alone, utterances)
    assert found.holds, found


# From 0, the shortest, to 1, 20 s, on a logarithmic scale.
@settings(max_examples=N_RANDOM_BATCHES, deadline=None, database=None)
@given(durations=st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_any_lengths(durations: list[float], model: nn.Module, network: ModuleType) -> None:
    shortest = network.MIN_SAMPLES
    lengths = [round(shortest * (LONGEST_SAMPLES / shortest) ** at) for at in durations]
    utterances = noises(lengths)
    batched, alone = embed_batch(model, utterances), embed_alone(model, utterances)
    found = agreement(batched, alone, utterances)
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
    # It shows where frames behind the end sound.
    monkeypatch.setattr(kaldi_fbank, "valid_frames", lambda *_: None)
    assert not agreement(embed_batch(campplus_model, [longer, last]), alone).holds
