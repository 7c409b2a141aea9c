"""Skipping into damaged files: to the samples that follow from their beginning, or not at all."""

import io
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.seekable_files import FLACS, MP3S, N_FRAMES, OGGS, WAVS, noise_of, opened, read_from
from unit.sound_files import encoded, refusal_of, warnings_of

from protocol.errors import BadAudio
from sidecar.audio.formats import flac_frames
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.flac_frames import read_metadata
from sidecar.audio.formats.flac_search import FlacSearch

SEEDS = {
    f"{container}: {name}": files[name]
    for container, files, names in [
        ("WAV", WAVS, ["WAV PCM_16 2", "RF64 FLOAT 1", "of no known size"]),
        ("FLAC", FLACS, ["PCM_16 1 16000", "PCM_24 2 48000", "PCM_S8 1 8000"]),
        ("MP3", MP3S, ["CONSTANT 1 16000", "VARIABLE 2 22050", "stereo without a tag"]),
        ("OGG", OGGS, ["1 16000", "2 44100"]),
    ]
    for name in names
}
HOSTILE = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# How much is compared behind the frame that is wanted.
N_COMPARED = 4_000
# A damaged frame of an MP3 can change the order of sums in all that follow.
ROUNDING = 2e-7


class CountingFile(io.BytesIO):
    """Bytes that count how many of them were read."""

    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data

    def readinto(self, buffer):
        n_bytes = super().readinto(buffer)
        self.n_read += n_bytes
        return n_bytes


def search_of(flac):
    source = AudioBytes(io.BytesIO(flac), lambda: False)
    return FlacSearch(source, *read_metadata(source, 0))


def read_or_refused(data, frame, end):
    """What ``read_from`` gives, None if ``data`` is refused; soon, in either case."""
    started_s = time.process_time()
    try:
        return read_from(data, frame, end)
    except BadAudio:
        return None
    finally:
        assert time.process_time() - started_s < 5


def check_skip(data, frame):
    """Compare what a skip to ``frame`` gives with reading from the beginning."""
    end = frame + N_COMPARED
    from_start = read_or_refused(data, 0, end)
    skipped = read_or_refused(data, frame, end)
    # Damage before the frame is no longer met; behind it, it is met as before.
    if from_start is None:
        return
    assert skipped is not None
    (_, whole), (first_frame, samples) = from_start, skipped
    n_wanted = len(whole[frame:end])
    np.testing.assert_allclose(
        samples[frame - first_frame :][:n_wanted], whole[frame:end], rtol=0, atol=ROUNDING
    )
    if len(whole) < end:
        assert first_frame + len(samples) == len(whole)


@HOSTILE
@given(
    seed=st.sampled_from(sorted(SEEDS)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=4),
    header_edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=2),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
    place=st.floats(0, 1),
)
def test_damaged_files_are_entered_rightly_or_not_at_all(seed, edits, header_edits, kept, place):
    data = bytearray(SEEDS[seed])
    for position, replacement in edits:
        offset = round(position * len(data))
        data[offset : offset + len(replacement)] = replacement
    for offset, value in header_edits:
        data[offset] = value
    check_skip(bytes(data[: round(kept * len(data))]), round(place * N_FRAMES))


@HOSTILE
@given(
    seed=st.sampled_from(sorted(SEEDS)),
    other=st.sampled_from(sorted(SEEDS)),
    kept=st.floats(0, 1),
    dropped=st.floats(0, 1),
    place=st.floats(0, 1),
)
def test_joined_files_are_entered_rightly_or_not_at_all(seed, other, kept, dropped, place):
    data, tail = SEEDS[seed], SEEDS[other]
    data = data[: round(kept * len(data))] + tail[round(dropped * len(tail)) :]
    check_skip(data, round(place * N_FRAMES))


@pytest.mark.parametrize("place", [0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_flac_is_not_entered_behind_a_cut_by_numbers_that_rise(place):
    """All numbers that are probed rise, but from one to the next lie too many bytes."""
    whole = FLACS["PCM_16 1 16000"]
    cut = search_of(whole).next_frame(len(whole) // 8, len(whole))
    check_skip(whole[: cut.offset] + whole, round(place * N_FRAMES))


def test_ogg_is_not_entered_behind_a_damaged_page():
    data = bytearray(OGGS["1 16000"])
    data[len(data) // 3] ^= 1
    _, whole = read_from(bytes(data))
    assert len(whole) < N_FRAMES
    for frame in range(0, N_FRAMES, 40_000):
        check_skip(bytes(data), frame)


def test_flac_that_is_all_beginnings_of_frames_is_given_up_soon(monkeypatch):
    tried = []
    monkeypatch.setattr(flac_frames, "read_frame_header", lambda *_: tried.append(1))
    flac = FLACS["PCM_16 1 16000"][:20_000] + b"\xff\xf8" * 10**6
    search = search_of(flac)
    assert search.next_frame(20_000, len(flac)) is None
    assert search.frame_before(200_000) == search.first
    assert len(tried) == 10_000


@pytest.mark.parametrize("n_blocks", range(6, 12))
def test_a_crop_before_damage_is_decoded_after_a_skip_too(n_blocks):
    data = bytearray(FLACS["PCM_16 1 16000"])
    search = search_of(data)
    damaged = search.first
    while damaged.sample < n_blocks * 16_384:
        damaged = search.next_frame(damaged.offset + 1, len(data))
    data[damaged.offset + 100] ^= 1
    check_skip(bytes(data), damaged.sample - N_COMPARED - 1)
    assert read_or_refused(bytes(data), 0, damaged.sample + 1) is None


def test_mp3_of_small_frames_is_given_up_in_time():
    answers = iter([False] * 30)
    data = MP3S["CONSTANT 1 24000"]
    with pytest.raises(BadAudio) as caught:
        read_from(data + data[-24 * 1000 :] * 1000, 10**8, is_given_up=lambda: next(answers, True))
    assert caught.value.kind == "decode_timeout"


@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3", "OGG"])
def test_a_late_skip_is_given_up(container):
    data = encoded(container, None, noise_of(N_FRAMES))
    for n_calls in range(1, 40):
        answers = iter([False] * n_calls)
        error = refusal_of(
            data, start_s=10.0, is_given_up=lambda answers=answers: next(answers, True)
        )
        assert error.kind == "decode_timeout"


def test_truncated_files_are_told_so_after_a_skip():
    wav = encoded("WAV", "PCM_16", noise_of(16_000))[:-1000]
    error = refusal_of(wav, start_s=0.5, strict=True)
    assert error.kind == "truncated"
    assert error.details == {"promised_bytes": 32_000, "present_bytes": 31_000}
    assert warnings_of(wav, start_s=0.5)["missing_end"].details == error.details
    flac = FLACS["PCM_16 1 16000"][:-1000]
    error, from_start = (refusal_of(flac, start_s=at_s, strict=True) for at_s in (16.0, 0.0))
    assert error.kind == "truncated"
    assert error.details == from_start.details
    assert warnings_of(flac, start_s=16.0)["missing_end"].details == error.details


@pytest.mark.parametrize(("container", "max_bytes"), [("WAV", 100_000), ("FLAC", 600_000)])
def test_a_skip_reads_little_of_a_long_file(container, max_bytes):
    noise = (noise_of(N_FRAMES) * 32_768).astype(np.int16)
    file = CountingFile(encoded(container, "PCM_16", np.tile(noise, (60, 1)), 8_000))
    sound = opened(file)
    frame = 55 * N_FRAMES
    assert frame - 80_000 < sound.skip_to(frame) <= frame
    next(sound.blocks())
    assert file.n_read < max_bytes < len(file.getvalue()) / 30
