"""Kaldi's log-mel filterbank ("fbank") in a few matrix products.

What Kaldi does to a frame before it takes the power is linear: removing the frame's mean,
pre-emphasis, the window, zero padding and the Fourier transform. The window is symmetric, and the
power does not depend on where time begins. So with time counted from a frame's middle, the real
part of its spectrum needs only the sums of its two halves, one of them reversed, and the imaginary
part only their differences: half of the products. Pre-emphasis comes before, for all frames
together: only a frame's first sample differs by that, and the window is 0 there. What pre-emphasis
leaves of the frame's mean is subtracted from the sums.

The recipe is that of ``compute-fbank-feats`` (kaldi-asr.org, ``feat/feature-window.cc`` and
``feat/mel-computations.cc``) with its default options, except: no dither, 80 filters, samples in
[-1, 1] instead of 16-bit integers.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sidecar.networks.valid_frames import valid_frames

Matrix = NDArray[np.float64]

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 400  # 25 ms
HALF_FRAME_SAMPLES = FRAME_SAMPLES // 2
HOP_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
N_BINS = FFT_SAMPLES // 2 + 1
N_MELS = 80
LOWEST_HZ = 20.0
HIGHEST_HZ = SAMPLE_RATE_HZ / 2
PREEMPHASIS = 0.97
POVEY_EXPONENT = 0.85
# Kaldi floors the energies before the logarithm. It means to guard against log(0), with samples in
# [-32768, 32767]; on [-1, 1] it cuts off real background noise (5 % of the values in LibriSpeech's
# test-other), so it is part of what the network has learnt.
ENERGY_FLOOR = float(np.finfo(np.float32).eps)


class KaldiFbank(nn.Module):
    """Log-mel energies of each frame, as Kaldi computes them.

    Only whole frames count, so a waveform needs at least 400 samples.

    forward: waveforms ``[batch, n_samples]``, float32 in [-1, 1] at 16 kHz -> natural logarithms
    ``[batch, n_frames, 80]``, float32. Where ``n_samples``, int64 ``[batch]``, says how long each
    utterance is, the frames behind its valid ones are silence.
    """

    cosines: Tensor
    sines: Tensor
    mel_filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        spectrum = analysis_matrix()
        # Constants of the recipe: no part of any checkpoint.
        for name, values in {
            "cosines": spectrum.real,
            "sines": spectrum.imag,
            "mel_filters": mel_matrix().T,
        }.items():
            constant = torch.from_numpy(np.ascontiguousarray(values)).float()
            self.register_buffer(name, constant, persistent=False)

    def forward(self, waveforms: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """See the class."""
        before = functional.pad(waveforms[:, :-1], (1, 0))
        ahead, back = halves(waveforms - PREEMPHASIS * before)
        means = functional.avg_pool1d(waveforms[:, None], FRAME_SAMPLES, HOP_SAMPLES)
        remaining_means = (1 - PREEMPHASIS) * means.transpose(1, 2)
        real = (ahead + back - 2 * remaining_means) @ self.cosines
        imaginary = (ahead - back) @ self.sines
        energies = (real.square() + imaginary.square()) @ self.mel_filters
        valid = valid_frames(count_frames(n_samples), energies.transpose(1, 2))
        if valid is not None:
            # A product would not silence infinity.
            energies = energies.where(valid.mask.transpose(1, 2), 0)
        return energies.clamp(min=ENERGY_FLOOR).log()


def halves(waveforms: Tensor) -> tuple[Tensor, Tensor]:
    """The first half of each frame, and the second one from its end, ``[batch, n_frames, 200]``.

    A frame has two hops and a half: they are cut once, and each frame takes its own.
    """
    n_hops = 3 + (waveforms.shape[-1] - FRAME_SAMPLES) // HOP_SAMPLES
    half_hop = HOP_SAMPLES // 2
    padded = functional.pad(waveforms, (0, half_hop))[:, : n_hops * HOP_SAMPLES]
    hops = padded.reshape(-1, n_hops, HOP_SAMPLES)
    reversed_hops = hops.flip(-1)
    n_ahead, n_back = HALF_FRAME_SAMPLES - HOP_SAMPLES, HALF_FRAME_SAMPLES - half_hop
    ahead = torch.cat((hops[:, :-2], hops[:, 1:-1, :n_ahead]), dim=-1)
    back = torch.cat((reversed_hops[:, 2:, half_hop:], reversed_hops[:, 1:-1, :n_back]), dim=-1)
    return ahead, back


def count_frames(n_samples: Tensor | None) -> Tensor | None:
    """How many frames fit into waveforms of these lengths (Kaldi's ``snip_edges``)."""
    return None if n_samples is None else 1 + (n_samples - FRAME_SAMPLES) // HOP_SAMPLES


def analysis_matrix() -> NDArray[np.complex128]:
    """The first half of a frame -> its part of the spectrum, ``[200, n_bins]``.

    The Fourier transform of 512 points and the window, with time counted from the frame's middle.
    """
    time = np.arange(HALF_FRAME_SAMPLES) - (FRAME_SAMPLES - 1) / 2
    cycles = np.outer(time, np.arange(N_BINS)) / FFT_SAMPLES
    window = povey_window()[:HALF_FRAME_SAMPLES]
    return np.asarray(window[:, np.newaxis] * np.exp(-2j * np.pi * cycles), dtype=np.complex128)


def povey_window() -> Matrix:
    """Kaldi's own window, ``[400]``: a symmetric Hann window to the power of 0.85."""
    return np.asarray(np.hanning(FRAME_SAMPLES) ** POVEY_EXPONENT, dtype=np.float64)


def mel_matrix() -> Matrix:
    """Triangles of height 1, evenly spaced and straight-sided in mel, ``[80, n_bins]``."""
    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), N_MELS + 2)
    left, centre, right = (edges[i : i + N_MELS, np.newaxis] for i in range(3))
    bins = mel(np.arange(N_BINS) * SAMPLE_RATE_HZ / FFT_SAMPLES)
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), dtype=np.float64)


def mel(frequency_hz: float | Matrix) -> Matrix:
    """Kaldi's mel scale (HTK's, with the natural logarithm): 1127 ln(1 + f / 700 Hz)."""
    return np.asarray(1127 * np.log1p(np.asarray(frequency_hz) / 700), dtype=np.float64)
