"""The pieces of an audio that is only listened to, of any length: they follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecar.audio.channels import mix
from sidecar.audio.resampling import FloatArray
from sidecar.audio.sample_buffer import SampleBuffer
from sidecar.audio.waveform import Decoded, Part
from sidecar.config import SAMPLE_RATE_HZ

# Whether two channels cancel each other is decided for each.
PIECE_SAMPLES = 8 * SAMPLE_RATE_HZ


def cut_pieces(blocks: Iterable[FloatArray], channels: int) -> Iterator[Decoded]:
    """The pieces of the audio that ``blocks`` are, each (n_samples, channels) at 16 kHz.

    All but the last have ``PIECE_SAMPLES``.
    """
    samples = SampleBuffer(channels)
    n_cut = 0
    for block in blocks:
        samples.append(block)
        while (n_cut + 1) * PIECE_SAMPLES <= samples.end:
            yield Decoded(_piece(samples, n_cut), samples.n_bytes)
            n_cut += 1
        samples.drop_before(n_cut * PIECE_SAMPLES)
        yield Decoded(None, samples.n_bytes)
    rest = _piece(samples, n_cut) if n_cut * PIECE_SAMPLES < samples.end else None
    yield Decoded(rest, is_last=True)


def _piece(samples: SampleBuffer, index: int) -> Part:
    start = index * PIECE_SAMPLES
    end = min(start + PIECE_SAMPLES, samples.end)
    return Part(index, mix(samples.copy(start, end), start))
