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


@dataclass(frozen=True, slots=True)
class Quality:
    """How good an audio is for telling who speaks.

    Attributes:
        speech_s: how many seconds somebody speaks; None: it is not known, as the model that knows
            is not there.
        level_dbfs: the level of the speech, or of everything where there is none, in dB below a
            full-scale square wave; None: all samples are 0.
        snr_db: how far the speech is above what is between it; None: there is none of the two.
        clipped_share: the share of the samples that lie in runs at full scale, 0 to 1.
        bandwidth_hz: the frequency below which all but a trace of the speech's energy lies.
        channel_correlation: how alike the two channels are that were mixed; None: there were none.
        flags: what of it costs accuracy.
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
