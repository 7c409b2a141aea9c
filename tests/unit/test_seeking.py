"""Skipping into files: the samples are, to the last bit, those that follow from the beginning."""

import contextlib
import functools
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.seekable_files import (
    FLACS,
    MP3S,
    N_FRAMES,
    OGGS,
    WAVS,
    noise_of,
    read_from,
)
from unit.sound_files import encoded, refusal_of, with_flac_total

from protocol.params import PcmAudio
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.flac_checksums import crc_8, crc_16
from sidecar.audio.formats.flac_frames import coded_number, read_metadata
from sidecar.audio.formats.flac_search import FlacSearch
from sidecar.audio.sources import open_source

CONVERSATIONS = Path(__file__).parents[2] / ".." / "shared" / "audio" / "conversations"

FILES = {
    f"{container}: {name}": data
    for container, files in [("WAV", WAVS), ("FLAC", FLACS), ("MP3", MP3S), ("OGG", OGGS)]
    for name, data in files.items()
}
# How many frames before that which is wanted an entry may lie: 64 KB of FLAC, 40 frames of MP3,
# three pages of Ogg.
REACH = {"WAV": 0, "FLAC": 80_000, "MP3": 40 * 1152, "OGG": 90_000}
SEEKING = settings(max_examples=200, deadline=None)


@functools.cache
def whole_of(name):
    return read_from(FILES[name])[1]


def check_position(data, whole, frame, reach):
    """Skip to ``frame`` or at most ``reach`` frames before it, and to the samples of ``whole``."""
    first_frame, samples = read_from(data, frame)
    assert min(frame, len(whole) - 1) - reach <= first_frame <= frame
    assert first_frame + len(samples) == len(whole)
    wanted = max(0, min(frame, len(whole)) - first_frame)
    np.testing.assert_array_equal(samples[wanted:], whole[first_frame + wanted :])


@pytest.mark.parametrize("name", FILES)
def test_files_are_entered_shortly_before_the_frame(name):
    whole = whole_of(name)
    n_frames = len(whole)
    for frame in (0, 1, n_frames // 3, n_frames // 2, n_frames - 1, n_frames, 1 << 62):
        check_position(FILES[name], whole, frame, REACH[name.partition(":")[0]])


@SEEKING
@given(name=st.sampled_from(sorted(FILES)), place=st.floats(0, 1))
def test_files_are_entered_anywhere(name, place):
    whole = whole_of(name)
    check_position(FILES[name], whole, round(place * len(whole)), REACH[name.partition(":")[0]])


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "MS_ADPCM"), ("WAV", "IMA_ADPCM"), ("WAV", "GSM610"), ("OGG", "OPUS")],
)
def test_some_codings_are_read_from_the_beginning(container, subtype):
    assert read_from(encoded(container, subtype, noise_of(48_000)), 40_000)[0] == 0


# FLAC


def as_variable(flac):
    """``flac`` with frames that state their first sample, as those of varying sizes do."""
    source = AudioBytes(io.BytesIO(flac), lambda: False)
    search = FlacSearch(source, *read_metadata(source, 0))
    frame = search.first
    made = flac[: frame.offset]
    while frame is not None:
        following = search.next_frame(frame.offset + 1, len(flac))
        old = flac[frame.offset : len(flac) if following is None else following.offset]
        number_end = 4 + coded_number(old[4:])[1]
        header_end = next(
            end for end in range(number_end, number_end + 5) if crc_8(old[: end + 1]) == 0
        )
        number = chr(frame.sample).encode("utf-8", "surrogatepass")
        header = b"\xff\xf9" + old[2:4] + number + old[number_end:header_end]
        frame_bytes = header + bytes([crc_8(header)]) + old[header_end + 1 : -2]
        made += frame_bytes + crc_16(frame_bytes).to_bytes(2, "big")
        frame = following
    return made


def test_flac_whose_frames_state_their_sample_is_entered():
    data = as_variable(FLACS["PCM_16 1 16000"])
    whole = whole_of("FLAC: PCM_16 1 16000")
    for frame in (100_000, 200_000, N_FRAMES):
        check_position(data, whole, frame, REACH["FLAC"])


def test_flac_of_unknown_length_is_read_from_its_beginning():
    data = with_flac_total(FLACS["PCM_16 1 16000"], 0)
    assert read_from(data, 200_000)[0] == 0


@pytest.mark.parametrize("n_first", [N_FRAMES, 200_000, 50_000])
def test_joined_flac_is_never_entered_behind_the_seam(n_first):
    samples = noise_of(N_FRAMES)
    first = encoded("FLAC", "PCM_16", samples[:n_first])
    joined = first + encoded("FLAC", "PCM_16", samples[::-1])
    for frame in range(0, n_first, 23_456):
        _, whole = read_from(first, 0, frame + 1)
        first_frame, samples_read = read_from(joined, frame, frame + 1)
        np.testing.assert_array_equal(samples_read[frame - first_frame], whole[frame])


def test_the_number_of_a_frame_is_coded_as_in_utf_8():
    for number in (0, 1, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF):
        coded = chr(number).encode("utf-8", "surrogatepass")
        assert coded_number(coded + b"\x80\x80") == (number, len(coded))
    assert coded_number(b"\xfe" + b"\xbf" * 6) == ((1 << 36) - 1, 7)


# Crops


def test_pcm_begins_at_the_frame_itself():
    pcm = PcmAudio(np.arange(8, dtype="<i2").tobytes(), "s16le", 16_000, 2)
    with contextlib.ExitStack() as closing:
        opening = open_source(pcm, "none", lambda: False, closing, 2 / 16_000)
        with pytest.raises(StopIteration) as opened:
            next(opening)
        source = opened.value.value
        assert source.first_frame == 2
        np.testing.assert_array_equal(next(source.blocks) * 32_768, [[4, 5], [6, 7]])


@pytest.mark.parametrize("container", ["WAV", "RF64", "FLAC", "MP3", "OGG"])
def test_a_crop_behind_the_end_is_told_the_true_duration(container):
    error = refusal_of(encoded(container, None, noise_of(240_000)), start_s=100.0)
    assert error.kind == "bad_crop"
    assert error.details["duration_s"] == 15.0


@pytest.mark.skipif(not CONVERSATIONS.is_dir(), reason="the speech of shared/audio is not here")
def test_crops_of_real_speech_are_parts_of_the_whole():
    for path in sorted(CONVERSATIONS.glob("*.flac"))[::3]:
        data = path.read_bytes()
        _, whole = read_from(data)
        for frame in range(0, len(whole), len(whole) // 7):
            check_position(data, whole, frame, 10 * REACH["FLAC"])
