"""Who of up to three people speaks at each moment of a few seconds: the segmentation network.

Plaquet, Bredin: "Powerset multi-class cross entropy loss for neural speaker diarization",
Interspeech 2023, arXiv 2310.13025; with the sizes and parameter names of the checkpoint that is
published as ``pyannote/segmentation-3.0`` (MIT, copyright 2020 CNRS). Its filters are those of
Ravanelli, Bengio: "Speaker recognition from raw waveform with SincNet", arXiv 1808.00158, in the
analytic form of Pariente et al.: "Filterbank design for end-to-end speech separation", arXiv
1910.10400: each band has a filter with a cosine and one with a sine.

Shapes: a waveform is ``[batch, n_samples]``, a sequence ``[batch, channels, n_frames]``.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks.checkpoint import Weights, load_weights

SAMPLE_RATE_HZ = 16_000
N_SPEAKERS, MOST_AT_ONCE = 3, 2
# Who speaks, class by class: nobody, each alone, each two together.
POWERSET: tuple[frozenset[int], ...] = tuple(
    frozenset(speakers)
    for n_speakers in range(MOST_AT_ONCE + 1)
    for speakers in combinations(range(N_SPEAKERS), n_speakers)
)

_N_BANDS, _HALF_FILTER, _FILTER_STRIDE = 40, 125, 10
_POOL, _KERNEL, _CHANNELS = 3, 5, 60
_HIDDEN, _N_LAYERS = 128, 4
HOP_SAMPLES = _FILTER_STRIDE * _POOL**3
# What a frame hears: the filter, and what each pool and each convolution adds to it.
_RECEPTIVE_SAMPLES = (
    2 * _HALF_FILTER
    + 1
    + _FILTER_STRIDE * ((_POOL - 1) * (1 + _POOL + _POOL**2) + (_KERNEL - 1) * (_POOL + _POOL**2))
)
# The narrowest and the lowest band, in Hz.
_LEAST_HZ = 50.0


class Segmentation(nn.Module):
    """The network.

    forward: waveforms ``[batch, n_samples]``, float32 in [-1, 1] at 16 kHz, all that is to be told
    apart in one piece (it was trained on 10 s) -> the natural logarithms of the probabilities of
    the classes of ``POWERSET``, ``[batch, n_frames, 7]``; for n_frames see ``count_frames``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sincnet = SincNet()
        self.lstm = nn.LSTM(_CHANNELS, _HIDDEN, _N_LAYERS, bidirectional=True, batch_first=True)
        self.linear = nn.ModuleList([nn.Linear(2 * _HIDDEN, _HIDDEN), nn.Linear(_HIDDEN, _HIDDEN)])
        self.classifier = nn.Linear(_HIDDEN, len(POWERSET))

    def forward(self, waveforms: Tensor) -> Tensor:
        """See the class."""
        x, _ = self.lstm(self.sincnet(waveforms).transpose(1, 2))
        for layer in self.linear:
            x = functional.leaky_relu(layer(x))
        return functional.log_softmax(self.classifier(x), dim=-1)


class SincNet(nn.Module):
    """Waveforms to sequences of 60 channels: band-pass filters, then two convolutions.

    Each is followed by the largest of three frames, a norm over all frames, and a leaky ReLU.
    """

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.register_buffer("filters", torch.zeros(2 * _N_BANDS, 1, 2 * _HALF_FILTER + 1))
        self.conv1d = nn.ModuleDict(
            {
                "1": nn.Conv1d(2 * _N_BANDS, _CHANNELS, _KERNEL),
                "2": nn.Conv1d(_CHANNELS, _CHANNELS, _KERNEL),
            }
        )
        self.norm1d = nn.ModuleList(
            [nn.InstanceNorm1d(n, affine=True) for n in (2 * _N_BANDS, _CHANNELS, _CHANNELS)]
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        """See the class."""
        x = self.wav_norm1d(waveforms[:, None])
        x = functional.conv1d(x, self.filters, stride=_FILTER_STRIDE).abs()
        x = self._normed(x, 0)
        for number, convolution in enumerate(self.conv1d.values(), start=1):
            x = self._normed(convolution(x), number)
        return x

    def _normed(self, x: Tensor, number: int) -> Tensor:
        return functional.leaky_relu(self.norm1d[number](functional.max_pool1d(x, _POOL)))


def count_frames(n_samples: int) -> int:
    """How many frames a waveform has: one every 270 samples, or 17 ms; 589 for 10 s."""
    n_frames = (n_samples - 2 * _HALF_FILTER - 1) // _FILTER_STRIDE + 1
    n_frames //= _POOL
    for _ in range(2):
        n_frames = (n_frames - _KERNEL + 1) // _POOL
    return max(0, n_frames)


def frame_centre_s(frame: int) -> float:
    """The middle of what a frame hears of its waveform, in seconds."""
    return (frame * HOP_SAMPLES + _RECEPTIVE_SAMPLES / 2) / SAMPLE_RATE_HZ


def band_pass_filters(low_hz: Tensor, band_hz: Tensor, angle: Tensor, window: Tensor) -> Tensor:
    """The filters, ``[2 x n_bands, 1, 251]``: those with a cosine, then those with a sine.

    A band from f1 to f2 Hz has the impulse response of an ideal band-pass,
    (sin(2 pi f2 t) - sin(2 pi f1 t)) / (pi t), and its Hilbert transform, both under a Hamming
    window and divided by twice the band's width.

    A band begins at 50 + |low_hz| and is 50 + |band_hz| wide; it ends at half of the sample rate.

    Args:
        low_hz: ``[n_bands, 1]``, as the checkpoint has it.
        band_hz: the same.
        angle: 2 pi t of the filter's first half, ``[1, 125]``, in radians for each Hz.
        window: the window's first half, ``[125]``.
    """
    low = _LEAST_HZ + low_hz.abs()
    high = (low + _LEAST_HZ + band_hz.abs()).clamp(max=SAMPLE_RATE_HZ / 2)
    width = high - low
    cosine = ((high * angle).sin() - (low * angle).sin()) / (angle / 2) * window
    sine = ((low * angle).cos() - (high * angle).cos()) / (angle / 2) * window
    cosines = torch.cat([cosine, 2 * width, cosine.flip(1)], dim=1)
    sines = torch.cat([sine, torch.zeros_like(width), -sine.flip(1)], dim=1)
    return (torch.cat([cosines / (2 * width), sines / (2 * width)]))[:, None]


def load(path: Path) -> Segmentation:
    """The network with the weights in ``path``, ready to serve; see ``load_weights``."""
    network = Segmentation()
    load_weights(network, path, "pyannote segmentation-3.0", _arranged)
    return network.eval().requires_grad_(requires_grad=False)


def _arranged(checkpoint: Weights) -> Weights:
    """The checkpoint's weights, with the filters that its bands are."""
    bank = "sincnet.conv1d.0.filterbank."
    weights = dict(checkpoint["state_dict"])
    # In float64: in float32 the sines' differences are wrong by 4e-6, and probabilities by 1e-4.
    parts = (weights[f"{bank}{name}_"].double() for name in ("low_hz", "band_hz", "n", "window"))
    filters = band_pass_filters(*parts)
    others = {name: weight for name, weight in weights.items() if not name.startswith(bank)}
    return {**others, "sincnet.filters": filters}
