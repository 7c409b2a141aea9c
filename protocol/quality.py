"""What can be said of an audio as a recording of somebody's voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    # It tells qualities, too: one of the two comes first.
    from protocol.reports import AudioWarning

Flag: TypeAlias = Literal[
    "silent", "little_speech", "quiet", "clipped", "narrow_band", "noisy", "opposite_phase"
]

# Less speech than this is taken for none: a word. Of two fans or muted microphones the embeddings
# are as alike as those of one voice.
NEEDED_SPEECH_S = 0.5


@dataclass(frozen=True, slots=True)
class Quality:
    """How good an audio is for telling who speaks.

    The numbers are those of the speech, or of everything where nobody speaks or where that is not
    known; of long audio, of some of it.

    Attributes:
        speech_s: how many seconds somebody speaks; None: it is not known, as the model that knows
            is not there.
        level_dbfs: the mean power in dB below that of a full-scale square wave (a full-scale sine
            has -3), without any constant offset; None: nothing moves.
        snr_db: how far the speech is above the noise between it, or where there is too little
            between it, above its own quietest 5 %: then clean speech has no more than 10 to 30.
            At least -20; None: there is no speech, no noise (but digital silence), or too little
            of both.
        clipped_share: the share of samples that were clipped, 0 to 1. A lower bound where the
            audio was resampled or compressed since.
        bandwidth_hz: where the highest band of 250 Hz ends that is less than 50 dB below the
            strongest one; None: it is silent, or shorter than 32 ms.
        channel_correlation: how alike the two channels are that were mixed, -1 to 1; None: there
            were none, or one of them is silent.
        flags: what of it costs accuracy: docs/quality.md has from where on, and how much.
    """

    speech_s: float | None
    level_dbfs: float | None
    snr_db: float | None
    clipped_share: float
    bandwidth_hz: float | None
    channel_correlation: float | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Where somebody speaks: ``segments`` are pairs of start and end in seconds of the audio."""

    segments: tuple[tuple[float, float], ...]
    speech_s: float
    duration_s: float
    warnings: tuple[AudioWarning, ...] = ()
