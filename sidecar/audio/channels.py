"""Which channels of an audio are embedded, and how they become one.

Two channels stay two until a part is complete, and are mixed then: only of the whole part can be
said whether they cancel each other.
"""

from __future__ import annotations

import numpy as np

from protocol.errors import BadAudio
from protocol.params import Channel
from protocol.reports import AudioWarning
from sidecar.audio.resampling import FloatArray
from sidecar.audio.waveform import Stereo, Waveform

# Below it the mean of two channels has less than half the power that it has of two strangers, and
# what is left is what they do not share: noise, and echoes.
OPPOSITE = -0.5


def picked(block: FloatArray, channel: Channel | None) -> FloatArray:
    """What is wanted of ``block``, shape (n_frames, channels).

    Raises:
        BadAudio: ``unsupported_channels``: there is no such channel.
    """
    if channel is None or channel == "mix":
        return block
    return block[:, channel : channel + 1]


def check_channel(channel: Channel | None, n_channels: int) -> None:
    """Refuse a channel that the audio does not have."""
    if isinstance(channel, int) and channel >= n_channels:
        raise BadAudio(
            f"channel is {channel}, and the audio has {n_channels}: they count from 0",
            kind="unsupported_channels",
            channels=n_channels,
        )


def narrowed(block: FloatArray) -> FloatArray:
    """One or two channels as they are, of more the mean, shape (n_frames, 1 or 2)."""
    n_channels = block.shape[1]
    if n_channels <= 2:
        return block
    # Channel by channel this is thirty times as fast as ``mean(axis=1)``.
    total = block[:, 0] + block[:, 1]
    for channel in range(2, n_channels):
        total += block[:, channel]
    total /= n_channels
    return total[:, None]


def mix(samples: FloatArray, start_sample: int = 0) -> Waveform:
    """The waveform of a part, shape (n_samples, 1 or 2).

    It is the mean of two channels; or the louder one, where they cancel each other.
    """
    if samples.shape[1] == 1:
        return Waveform(np.ascontiguousarray(samples[:, 0]), start_sample)
    left, right = (samples[:, channel].copy() for channel in (0, 1))
    stereo = Stereo(float(left @ right), float(left @ left), float(right @ right))
    correlation = stereo.correlation
    if correlation is None or correlation > OPPOSITE:
        left += right
        left /= 2
        return Waveform(left, start_sample, stereo)
    channel = 0 if stereo.left_left >= stereo.right_right else 1
    warning = AudioWarning(
        "opposite_phase",
        f"the two channels cancel each other (their correlation is {correlation:.2f}): channel "
        f"{channel}, the louder one, was taken instead of their mean; one of them may be wired "
        "the wrong way round",
        {"channel": channel},
    )
    return Waveform((left, right)[channel], start_sample, stereo, (warning,))
