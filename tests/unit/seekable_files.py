"""Audio files that are entered in their middle, and what reading them from a frame on gives."""

import io

import numpy as np
import soundfile
from unit.sound_files import encoded, with_ds64_size, with_wav_size

from sidecar.audio.formats.findings import Findings
from sidecar.audio.formats.opening import open_recording

N_FRAMES = 300_000
N_WAV_FRAMES = 20_000


def noise_of(n_frames, channels=1):
    """Noise whose level rises and falls, so that lossy files and FLAC have frames of many sizes."""
    noise = np.random.default_rng(0).standard_normal((n_frames, channels))
    level = 0.1 + 0.09 * np.sin(np.arange(n_frames) / 3_000)
    return (noise * level[:, None]).astype(np.float32)


def opened(file, is_given_up=lambda: False):
    """The recording that ``file`` is."""
    recordings = []

    def open_it():
        recordings.append((yield from open_recording(file, is_given_up, Findings())))

    for _ in open_it():
        pass
    return recordings[0]


def read_from(data, frame=0, end=None, is_given_up=lambda: False):
    """The frame at which reading begins if ``frame`` is wanted, and the samples from there.

    They reach to the end, or at least to the frame ``end``.
    """
    sound = opened(io.BytesIO(data), is_given_up)
    n_read = first_frame = sound.skip_to(frame)
    blocks = [np.empty((0, sound.channels), np.float32)]
    for block in sound.blocks():
        blocks.append(block.copy())
        n_read += len(block)
        if end is not None and n_read >= end:
            break
    sound.close()
    return first_frame, np.concatenate(blocks)


def with_junk(wav):
    """``wav`` with a chunk of odd size before its others."""
    return wav[:12] + b"JUNK" + (9_999).to_bytes(4, "little") + bytes(10_000) + wav[12:]


def mp3_of(mode, channels, rate_hz, level=0.5):
    file = io.BytesIO()
    soundfile.write(
        *(file, noise_of(N_FRAMES, channels), rate_hz),
        format="MP3",
        bitrate_mode=mode,
        compression_level=level,
    )
    return file.getvalue()


def without_mp3_tag(mp3):
    """``mp3`` without its first frame, which has no audio but the count of frames."""
    assert b"Xing" in mp3[:100] or b"Info" in mp3[:100]
    return mp3[mp3.index(mp3[:2], 4) :]


WAVS = {
    f"{container} {subtype} {channels}": encoded(
        container, subtype, noise_of(N_WAV_FRAMES, channels), 44_100
    )
    for container in ("WAV", "WAVEX", "RF64")
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
    for channels in (1, 2, 5)
} | {
    "of no known size": with_wav_size(encoded("WAV", "FLOAT", noise_of(N_WAV_FRAMES)), 0xFFFFFFFF),
    "of size 0": with_wav_size(encoded("WAV", "PCM_16", noise_of(N_WAV_FRAMES)), 0),
    "RF64 of no known size": with_ds64_size(encoded("RF64", "PCM_16", noise_of(N_WAV_FRAMES)), 0),
    "with chunks behind": encoded("WAV", "PCM_16", noise_of(N_WAV_FRAMES))
    + b"LIST\x04\x00\x00\x00abcd" * 10,
    "with a chunk in front": with_junk(encoded("WAV", "PCM_24", noise_of(N_WAV_FRAMES, 2))),
}

FLACS = {
    f"{subtype} {channels} {rate_hz}": encoded(
        "FLAC", subtype, noise_of(N_FRAMES, channels), rate_hz
    )
    for subtype, channels, rate_hz in [
        *(("PCM_S8", 1, 8_000), ("PCM_16", 1, 16_000), ("PCM_16", 2, 44_100)),
        *(("PCM_24", 2, 48_000), ("PCM_16", 5, 22_050), ("PCM_16", 1, 37_123)),
    ]
}
FLACS["with ID3v2"] = b"ID3\x03\0\0\0\0\x02\0" + bytes(256) + FLACS["PCM_16 1 16000"]

MP3S = {
    f"{mode} {channels} {rate_hz}": mp3_of(mode, channels, rate_hz, level)
    for mode, channels, rate_hz, level in [
        *(
            ("CONSTANT", 1, 16_000, 0.5),
            ("CONSTANT", 2, 44_100, 0.5),
            ("CONSTANT", 2, 48_000, 0.99),
        ),
        *(("VARIABLE", 1, 44_100, 0.9), ("VARIABLE", 2, 22_050, 0.1), ("AVERAGE", 1, 32_000, 0.5)),
        *(("CONSTANT", 1, 24_000, 0.99), ("CONSTANT", 1, 8_000, 0.99)),
    ]
}
MP3S |= {
    "without a tag": without_mp3_tag(MP3S["CONSTANT 1 16000"]),
    "stereo without a tag": without_mp3_tag(MP3S["CONSTANT 2 44100"]),
    "of varying bitrate without a tag": without_mp3_tag(MP3S["VARIABLE 1 44100"]),
    "with ID3v2": b"ID3\x03\0\0\0\0\x02\0" + bytes(256) + MP3S["CONSTANT 2 44100"],
    "with ID3v1": MP3S["VARIABLE 2 22050"] + b"TAG".ljust(128, b"\0"),
    "twice": MP3S["CONSTANT 1 16000"] * 2,
}

OGGS = {
    f"{channels} {rate_hz}": encoded("OGG", "VORBIS", noise_of(N_FRAMES, channels), rate_hz)
    for channels, rate_hz in [(1, 16_000), (2, 44_100), (1, 8_000), (5, 48_000)]
}
OGGS |= {"cut": OGGS["1 16000"][:-10_000], "twice": OGGS["1 16000"] * 2}
