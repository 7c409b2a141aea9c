"""Hostile audio files: decoded or refused, soon, and in little memory."""

import contextlib
import io
import time
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.sound_files import (
    LIMITS,
    LOSSY,
    SAMPLES,
    SIXTEEN_BIT,
    decode,
    encoded,
    refusal_of,
    samples_of,
    with_ds64_size,
    with_flac_total,
    with_wav_size,
)

from protocol.errors import BadAudio
from protocol.params import EmbedParams, EmbedWindowsParams, FileAudio, PathAudio
from sidecar.audio.decoder import Decoder
from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.libsndfile import _Stream
from sidecar.audio.waveform import DurationLimits


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_samples_are_never_sought(container, monkeypatch):
    def seek(*_args, **_options):
        raise AssertionError("sought")

    monkeypatch.setattr(soundfile.SoundFile, "seek", seek)
    data = encoded(container, samples=np.tile(SAMPLES, 5))
    assert len(samples_of(data, start_s=2.0, end_s=4.0)) == 32_000


def test_the_search_for_samples_gives_up_in_a_chain_of_chunks():
    data = encoded("WAV")
    junk = b"junk" + bytes(4)
    assert len(samples_of(data[:12] + junk * 1500 + data[12:])) == len(SAMPLES)
    started_s = time.process_time()
    assert refusal_of(data[:12] + junk * 10**6 + data[12:]).kind == "corrupt"
    assert time.process_time() - started_s < 1


def test_impossible_seeks_of_libsndfile_change_nothing():
    stream = _Stream(AudioBytes(io.BytesIO(b"12345678"), lambda: False), claim=1)
    stream.seek(3, io.SEEK_SET)
    stream.seek(-100, io.SEEK_SET)
    stream.seek(2**63 - 1, io.SEEK_CUR)
    assert stream.tell() == 3


@pytest.mark.parametrize(
    "data",
    [
        with_wav_size(encoded("WAV", "PCM_16"), 0x7FFE0000),
        with_ds64_size(encoded("RF64", "PCM_16"), 2**40),
        with_flac_total(encoded("FLAC"), 2**36 - 1),
    ],
)
def test_a_huge_claim_allocates_nothing(data):
    tracemalloc.start()
    try:
        assert refusal_of(data, DurationLimits(0.1, 1e9), strict=True).kind == "truncated"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**20


@pytest.mark.parametrize("method", ["embed", "embed_windows"])
def test_nothing_is_held_of_what_lies_before_a_crop(method):
    """Not even where a file has no entry and is decoded from its beginning."""
    minutes = np.tile(SAMPLES, 300)
    data = encoded("WAV", "IMA_ADPCM", minutes)
    audio = FileAudio(data, start_s=298.0, end_s=299.0)
    params = EmbedParams(audio)
    if method == "embed_windows":
        params = EmbedWindowsParams(audio, window_s=0.5, hop_s=0.5)
    tracemalloc.start()
    try:
        steps = list(Decoder(LIMITS, "none", max_windows=600).decode(audio, params))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert steps[0].held_bytes == 0, "it was entered"
    assert peak_bytes < 2**21


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_file_is_read_no_further_once_it_is_given_up(container):
    data = encoded(container, samples=np.tile(SAMPLES, 60))
    audio, is_given_up = FileAudio(data), False
    decoder = Decoder(LIMITS, "none", max_windows=600)
    steps = decoder.decode(audio, EmbedParams(audio), lambda: is_given_up)
    next(steps)
    is_given_up = True
    with pytest.raises(BadAudio) as caught:
        next(steps)
    assert caught.value.kind == "decode_timeout"


def test_a_file_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    class FailingDisk(io.BytesIO):
        def read(self, _n_bytes):
            raise OSError(5, "Input/output error")

    path = tmp_path / "speech.wav"
    path.write_bytes(encoded("WAV"))
    monkeypatch.setattr(
        "sidecar.audio.sources.open_audio_path", lambda *_: FailingDisk(path.read_bytes())
    )
    with pytest.raises(BadAudio) as caught:
        decode(PathAudio(str(path)), limits=LIMITS, path_root="any")
    assert caught.value.kind == "path_unreadable"
    assert "Input/output error" in caught.value.message


@pytest.mark.parametrize("fault", [RuntimeError("secret"), ValueError(b"secret"), MemoryError()])
def test_whatever_the_decoder_raises_is_translated(monkeypatch, fault):
    def read(*_args, **_options):
        raise fault

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    error = refusal_of(encoded("WAV"))
    assert error.kind == "corrupt"
    assert error.details["decoder_error"] == type(fault).__name__
    assert "secret" not in error.message


SEEDS = [encoded(*kind) for kind in [*SIXTEEN_BIT, *LOSSY, ("WAV", "MS_ADPCM")]]
HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(data):
    """Whether ``data`` is decoded or refused, soon; nothing but ``BadAudio`` may be raised."""
    started_s = time.perf_counter()
    with contextlib.suppress(BadAudio):
        assert np.isfinite(samples_of(data)).all()
    return time.perf_counter() - started_s < 5


@HOSTILE
@given(data=st.binary(max_size=300))
@example(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f")
def test_random_bytes_are_survived(data):
    assert survives(data)


@HOSTILE
@given(seed=st.sampled_from(SEEDS), tail=st.binary(max_size=300), kept=st.integers(4, 100))
def test_random_bytes_behind_a_header_are_survived(seed, tail, kept):
    assert survives(seed[:kept] + tail)


@HOSTILE
@given(
    seed=st.sampled_from(SEEDS),
    # Headers are where the claims are: most edits go there.
    edits=st.lists(
        st.tuples(
            st.one_of(st.integers(0, 127), st.integers(0, 40_000)),
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.sampled_from([b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"]),
            ),
        ),
        min_size=1,
        max_size=8,
    ),
    kept=st.one_of(st.none(), st.integers(0, 40_000)),
)
def test_mutated_files_are_survived(seed, edits, kept):
    data = bytearray(seed)
    for offset, replacement in edits:
        data[offset : offset + len(replacement)] = replacement
    assert survives(bytes(data[:kept]))
