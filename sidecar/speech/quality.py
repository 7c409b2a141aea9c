"""How good an audio is for telling who speaks: numbers, and flags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocol.quality import Quality
from sidecar.audio.resampling import FloatArray
from sidecar.audio.waveform import Stereo


def measure(
    samples: FloatArray,
    is_speech: NDArray[np.bool_] | None,  # noqa: ARG001 - a stand-in
    stereo: Stereo | None,
    *,
    speech_s: float | None,
) -> Quality:
    """The quality of an audio.

    Args:
        samples: mono, 16 kHz, of the whole audio.
        is_speech: for each step of 512 samples whether somebody speaks; None: not known.
        stereo: of the two channels of which it was mixed.
        speech_s: how many seconds somebody speaks; None: not known.
    """
    level = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    return Quality(
        speech_s=speech_s,
        level_dbfs=20 * float(np.log10(level)) if level > 0 else None,
        snr_db=None,
        clipped_share=0.0,
        bandwidth_hz=None,
        channel_correlation=None if stereo is None else stereo.correlation,
        flags=(),
    )
