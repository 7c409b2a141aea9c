"""SpeechBrain's log-mel filterbank ("Fbank") as one matrix product.

The window and the Fourier transform are linear, so both are one constant matrix, computed here in
float64, and a waveform becomes its spectrogram by a strided convolution with it. Power, mel
filters and decibels follow.

The recipe is that of ``speechbrain.lobes.features.Fbank(n_mels=80)`` with its own defaults.
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
FRAME_SAMPLES = 400  # 25 ms, and as many points of the Fourier transform
HOP_SAMPLES = 160  # 10 ms
N_BINS = FRAME_SAMPLES // 2 + 1
N_MELS = 80
HIGHEST_HZ = SAMPLE_RATE_HZ / 2
ENERGY_FLOOR = 1e-10
DYNAMIC_RANGE_DB = 80.0


class SpeechBrainFbank(nn.Module):
    """Log-mel energies of each frame, as SpeechBrain computes them.

    Frames are centred on multiples of the hop, and beyond both ends of the waveform there is
    silence.

    forward: waveforms ``[batch, n_samples]``, float32 in [-1, 1] at 16 kHz -> decibels
    ``[batch, n_frames, 80]``, float32. Where ``n_samples``, int64 ``[batch]``, says how long each
    utterance is (zeros follow it), the frames behind its valid ones are silence too.
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
        # Not by the convolution: OpenVINO would compile code for each of the frames of each new
        # length: 12 ms and over a megabyte for a second of audio.
        padded = functional.pad(waveforms, (FRAME_SAMPLES // 2, FRAME_SAMPLES // 2))
        spectra = functional.conv1d(padded.unsqueeze(1), self.analysis, stride=HOP_SAMPLES)
        real, imaginary = spectra.chunk(2, dim=1)  # each [batch, n_bins, n_frames]
        power = real.square() + imaginary.square()
        energies = self.mel_filters @ power
        valid = valid_frames(count_frames(n_samples), energies)
        if valid is not None:
            energies = energies.where(valid.mask, 0)  # a product would not silence infinity
        decibels = 10 * energies.clamp(min=ENERGY_FLOOR).log10().transpose(1, 2)
        return torch.maximum(decibels, loudest(decibels) - DYNAMIC_RANGE_DB)


def count_frames(n_samples: Tensor | None) -> Tensor | None:
    """How many frames are centred within waveforms of these lengths, both ends included."""
    return None if n_samples is None else 1 + n_samples // HOP_SAMPLES


def loudest(decibels: Tensor) -> Tensor:
    """Each utterance's maximum, ``[batch, n_frames, n_mels]`` -> ``[batch, 1, 1]``."""
    return decibels.amax(dim=(1, 2), keepdim=True)


def analysis_matrix() -> Matrix:
    """One frame of samples -> its spectrum, ``[2 * n_bins, 400]``: real parts, then imaginary."""
    spectrum = fourier_matrix() * hamming_window()
    return np.concatenate((spectrum.real, spectrum.imag))


def hamming_window() -> Matrix:
    """The periodic Hamming window, ``[400]``: its 401st sample would be its first again."""
    cycles = np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return np.asarray(0.54 - 0.46 * np.cos(2 * np.pi * cycles), dtype=np.float64)


def fourier_matrix() -> NDArray[np.complex128]:
    """The non-negative frequencies of a 400-point DFT, ``[n_bins, 400]``."""
    cycles = np.outer(np.arange(N_BINS), np.arange(FRAME_SAMPLES)) / FRAME_SAMPLES
    return np.asarray(np.exp(-2j * np.pi * cycles), dtype=np.complex128)


def mel_matrix() -> Matrix:
    """Triangles of height 1, centred evenly in mel but straight-sided in hertz, ``[80, n_bins]``.

    Each is symmetric: it falls over as many hertz as lie between it and the centre to its left,
    so neighbours do not sum to 1 as textbook filters do.
    """
    mels = np.linspace(0, mel(HIGHEST_HZ), N_MELS + 2, dtype=np.float64)
    centres_hz = hertz(mels)
    centre, width = centres_hz[1:-1, np.newaxis], np.diff(centres_hz)[:-1, np.newaxis]
    bins_hz = np.arange(N_BINS) * SAMPLE_RATE_HZ / FRAME_SAMPLES
    return np.asarray(np.maximum(0, 1 - np.abs(bins_hz - centre) / width), dtype=np.float64)


def mel(frequency_hz: float) -> float:
    """HTK's mel scale: 2595 log10(1 + f / 700 Hz)."""
    return float(2595 * np.log10(1 + frequency_hz / 700))


def hertz(mels: Matrix) -> Matrix:
    """The inverse of ``mel``."""
    return np.asarray(700 * (10 ** (mels / 2595) - 1), dtype=np.float64)
