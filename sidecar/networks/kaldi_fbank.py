"""Kaldi's log-mel filterbank ("fbank") as one matrix product.

Everything that Kaldi does to a frame before it takes the power is linear: removing the frame's
mean, pre-emphasis, the window, zero padding and the Fourier transform. So the whole chain is one
constant matrix, computed here in float64, and a waveform becomes its spectrogram by a strided
convolution with it. Power, mel filters and logarithm follow.

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

    analysis: Tensor
    mel_filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        analysis = torch.from_numpy(analysis_matrix()).float().unsqueeze(1)
        mel_filters = torch.from_numpy(mel_matrix()).float()
        # Constants of the recipe: no part of any checkpoint.
        self.register_buffer("analysis", analysis, persistent=False)
        self.register_buffer("mel_filters", mel_filters, persistent=False)

    def forward(self, waveforms: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """See the class."""
        spectra = functional.conv1d(waveforms.unsqueeze(1), self.analysis, stride=HOP_SAMPLES)
        real, imaginary = spectra.chunk(2, dim=1)  # each [batch, n_bins, n_frames]
        power = real.square() + imaginary.square()
        energies = self.mel_filters @ power
        valid = valid_frames(count_frames(n_samples), energies)
        if valid is not None:
            energies = energies.where(valid.mask, 0)  # a product would not silence infinity
        return energies.clamp(min=ENERGY_FLOOR).log().transpose(1, 2)


def count_frames(n_samples: Tensor | None) -> Tensor | None:
    """How many frames fit into waveforms of these lengths (Kaldi's ``snip_edges``)."""
    return None if n_samples is None else 1 + (n_samples - FRAME_SAMPLES) // HOP_SAMPLES


def analysis_matrix() -> Matrix:
    """One frame of samples -> its spectrum, ``[2 * n_bins, 400]``: real parts, then imaginary."""
    spectrum = (
        fourier_matrix() @ np.diag(povey_window()) @ preemphasis_matrix() @ dc_removal_matrix()
    )
    return np.concatenate((spectrum.real, spectrum.imag))


def dc_removal_matrix() -> Matrix:
    """Subtract the frame's mean, ``[400, 400]``."""
    return np.eye(FRAME_SAMPLES) - 1 / FRAME_SAMPLES


def preemphasis_matrix() -> Matrix:
    """y[t] = x[t] - 0.97 x[t - 1] with x[-1] = x[0], within the frame alone, ``[400, 400]``."""
    matrix = np.eye(FRAME_SAMPLES) - PREEMPHASIS * np.eye(FRAME_SAMPLES, k=-1)
    matrix[0, 0] -= PREEMPHASIS
    return matrix


def povey_window() -> Matrix:
    """Kaldi's own window, ``[400]``: a symmetric Hann window to the power of 0.85."""
    return np.asarray(np.hanning(FRAME_SAMPLES) ** POVEY_EXPONENT, dtype=np.float64)


def fourier_matrix() -> NDArray[np.complex128]:
    """The non-negative frequencies of a 512-point DFT of 400 samples, ``[n_bins, 400]``."""
    cycles = np.outer(np.arange(N_BINS), np.arange(FRAME_SAMPLES)) / FFT_SAMPLES
    return np.asarray(np.exp(-2j * np.pi * cycles), dtype=np.complex128)


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
