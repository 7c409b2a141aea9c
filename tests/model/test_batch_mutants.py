"""What the comparison of a batch with its utterances alone catches: a network that forgets ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import ModuleType

import pytest
from model.batch_agreement import Agreement, agreement, embed_alone, embed_batch, noises
from torch import Tensor, nn

from sidecar.networks import (
    campplus,
    campplus_context,
    campplus_head,
    ecapa,
    ecapa_layers,
    speechbrain_fbank,
)
from sidecar.networks.valid_frames import ValidFrames, zero_behind

pytestmark = pytest.mark.usefixtures("one_thread")

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
