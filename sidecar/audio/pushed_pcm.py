"""Raw samples that come piece by piece, to waveforms as networks take them."""

from __future__ import annotations

from collections.abc import Iterator

from protocol.params import Channel
from sidecar.audio.channels import check_channel, mix, narrowed, picked
from sidecar.audio.crop import check_values
from sidecar.audio.pcm import check_layout, pcm_blocks, pcm_frames, sample_type
from sidecar.audio.resampling import Resampler
from sidecar.audio.waveform import Waveform


class PushedPcm:
    """The samples of one stream.

    Args:
        sample_rate_hz, encoding, channels, channel: see ``PcmAudio``.

    Raises:
        BadAudio: such audio is not taken.
    """

    def __init__(
        self, sample_rate_hz: int, encoding: str, channels: int, channel: Channel | None
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.frame_bytes = sample_type(encoding).itemsize * channels
        check_layout(sample_rate_hz, channels)
        check_channel(channel, channels)
        self._encoding, self._channels, self._channel = encoding, channels, channel
        mixed_channels = 2 if channels == 2 and not isinstance(channel, int) else 1
        self._resampler = Resampler(sample_rate_hz, mixed_channels)

    def check(self, pcm: bytes, first_frame: int) -> int:
        """How many frames ``pcm`` has; ``first_frame`` is the number of the first one.

        Raises:
            BadAudio: they cannot be used.
        """
        frames = pcm_frames(pcm, self._encoding, self._channels)
        if len(frames) and frames.dtype.kind == "f":
            check_values(frames, first_frame, self.sample_rate_hz)
        return len(frames)

    def feed(self, pcm: bytes, *, is_last: bool) -> Iterator[Waveform]:
        """What ``pcm``, checked, and what came before it give; ``is_last``: nothing more comes."""
        frames = pcm_frames(pcm, self._encoding, self._channels)
        for block in pcm_blocks(frames):
            wanted = narrowed(picked(block, self._channel))
            yield mix(self._resampler.feed(wanted))
        if is_last:
            yield mix(self._resampler.finish())
