"""Audio files made in memory, and what decoding them gives."""

import io
import struct

import numpy as np
import pytest
import soundfile

from protocol.errors import BadAudio
from protocol.params import EmbedParams, FileAudio
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import DurationLimits

LIMITS = DurationLimits(min_s=0.04, max_s=60.0)
N_SAMPLES = 16_000
SAMPLES = (0.1 * np.random.default_rng(0).standard_normal(N_SAMPLES)).astype(np.float32)

SIXTEEN_BIT = [("WAV", "PCM_16"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("FLAC", "PCM_16")]
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]


def encoded(container, subtype=None, samples=SAMPLES, rate_hz=16_000):
    file = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(file, "w", rate_hz, channels, subtype, format=container) as sound:
        # Vorbis takes as much of the stack as it gets samples in one call: 2 MB is all on Windows.
        for start in range(0, len(samples), rate_hz):
            sound.write(samples[start : start + rate_hz])
    return file.getvalue()


def decode(audio, *, limits, path_root="any", is_given_up=lambda: False):
    """The one waveform of ``audio``."""
    decoder = Decoder(limits, path_root, max_windows=600)
    steps = list(decoder.decode(audio, EmbedParams(audio), is_given_up))
    assert [step.is_last for step in steps] == [False] * (len(steps) - 1) + [True]
    [waveform] = [step.part.waveform for step in steps if step.part is not None]
    return waveform


def samples_of(data, limits=LIMITS, **options):
    names = ("start_s", "end_s", "channel", "strict")
    asked = {name: options.pop(name) for name in names if name in options}
    return decode(FileAudio(data, **asked), limits=limits, path_root="none", **options).samples


def warnings_of(data, limits=LIMITS, **asked):
    """What is odd about a file that is decoded, by kind."""
    audio = FileAudio(data, **asked)
    *_, last = Decoder(limits, "none", max_windows=600).decode(audio, EmbedParams(audio))
    return {warning.kind: warning for warning in last.warnings}


def refusal_of(data, limits=LIMITS, **options):
    with pytest.raises(BadAudio) as caught:
        samples_of(data, limits, **options)
    return caught.value


def with_wav_size(data, n_bytes):
    """``data`` with another size of its data chunk, and of the whole, in its header."""
    field = struct.pack("<I", n_bytes)
    offset = data.index(b"data") + 4
    return data[:4] + field + data[8:offset] + field + data[offset + 4 :]


def with_ds64_size(data, n_bytes):
    offset = data.index(b"ds64") + 16
    return data[:offset] + struct.pack("<Q", n_bytes) + data[offset + 8 :]


def with_flac_total(data, n_samples):
    """``data`` with another count of samples in its STREAMINFO: the 36 bits before its MD5."""
    high = bytes([data[21] & 0xF0 | n_samples >> 32])
    return data[:21] + high + struct.pack(">I", n_samples & 0xFFFFFFFF) + data[26:]
