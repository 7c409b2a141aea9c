"""Audio files: what is decoded, and what broken and hostile ones lead to."""

import contextlib
import io
import struct
import time
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from protocol.errors import BadAudio
from protocol.params import FileAudio, PathAudio
from sidecar.audio.containers import find_data_chunk
from sidecar.audio.decoder import DECODE_TIMEOUT_S, decode
from sidecar.audio.sound_file import _Stream
from sidecar.audio.waveform import DurationLimits

LIMITS = DurationLimits(min_s=0.04, max_s=60.0)
N_SAMPLES = 16_000
SAMPLES = (0.1 * np.random.default_rng(0).standard_normal(N_SAMPLES)).astype(np.float32)

LOSSLESS = [("WAV", "FLOAT"), ("WAVEX", "FLOAT"), ("RF64", "FLOAT")]
SIXTEEN_BIT = [("WAV", "PCM_16"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("FLAC", "PCM_16")]
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]


def encoded(container, subtype=None, samples=SAMPLES, rate_hz=16_000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def samples_of(data, limits=LIMITS, **options):
    crop = {name: options.pop(name) for name in ("start_s", "end_s") if name in options}
    return decode(FileAudio(data, **crop), limits=limits, path_root="none", **options).samples


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


# What is decoded


@pytest.mark.parametrize(("container", "subtype"), LOSSLESS)
def test_float_files_decode_exactly(container, subtype):
    np.testing.assert_array_equal(samples_of(encoded(container, subtype)), SAMPLES)


@pytest.mark.parametrize(("container", "subtype"), SIXTEEN_BIT)
def test_16_bit_files_decode_to_the_last_bit(container, subtype):
    decoded = samples_of(encoded(container, subtype))
    np.testing.assert_allclose(decoded, SAMPLES, atol=1 / 32768)
    np.testing.assert_array_equal(decoded, np.round(decoded * 32768) / 32768)


@pytest.mark.parametrize(("container", "subtype"), LOSSY)
def test_lossy_files_decode_to_the_same_length_and_level(container, subtype):
    time_s = np.arange(N_SAMPLES) / 16_000
    tone = np.sin(2 * np.pi * 440 * time_s, dtype=np.float64) * 0.3
    decoded = samples_of(encoded(container, subtype, tone))
    assert len(decoded) == N_SAMPLES
    assert np.sqrt(np.mean(decoded**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_channels_and_rates_of_files_are_converted():
    stereo = np.stack([SAMPLES, -SAMPLES], axis=1)
    decoded = samples_of(encoded("FLAC", "PCM_16", stereo, 48_000))
    assert len(decoded) == round(N_SAMPLES / 3)
    assert np.abs(decoded).max() < 1e-4


def test_a_tag_before_the_audio_is_skipped():
    tag = b"ID3\x03\x00\x00" + bytes([0, 0, 1, 2]) + bytes(130)
    assert len(samples_of(tag + encoded("MP3"))) == N_SAMPLES
    assert len(samples_of(tag + encoded("FLAC"))) == N_SAMPLES


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_files_are_cropped_by_reading_forward(container):
    data = encoded(container, None, np.tile(SAMPLES, 5))
    whole = samples_of(data)
    np.testing.assert_array_equal(samples_of(data, start_s=1.5, end_s=3.25), whole[24_000:52_000])


def test_a_long_file_is_read_no_further_than_the_limit():
    error = refusal_of(encoded("WAV", "PCM_16", np.zeros(20 * N_SAMPLES)), DurationLimits(0.1, 1.0))
    assert error.kind == "too_long"
    assert 1.0 < error.details["duration_s"] < 3.0
    assert "at least" in error.message


def test_rate_and_channels_of_files_are_limited():
    assert refusal_of(encoded("WAV", rate_hz=4_000)).kind == "unsupported_sample_rate"
    wide = encoded("WAV", samples=np.zeros((100, 65)))
    assert refusal_of(wide).kind == "unsupported_channels"


def test_a_path_is_decoded_as_its_bytes_are(tmp_path):
    path = tmp_path / "speech.flac"
    path.write_bytes(encoded("FLAC"))
    waveform = decode(PathAudio(str(path), 0.25), limits=LIMITS, path_root=tmp_path)
    np.testing.assert_array_equal(waveform.samples, samples_of(encoded("FLAC"))[4_000:])


@pytest.mark.parametrize("name", ["missing.wav", "empty.wav"])
def test_a_path_without_audio_is_refused(tmp_path, name):
    (tmp_path / "empty.wav").touch()
    with pytest.raises(BadAudio) as caught:
        decode(PathAudio(str(tmp_path / name)), limits=LIMITS, path_root="any")
    assert caught.value.kind == {"missing.wav": "path_not_found", "empty.wav": "empty"}[name]


# What is not decoded


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x1aE\xdf\xa3", "WebM"),
        (b"\x00\x00\x00\x20ftypM4A ", "M4A"),
        (b"\x00\x00\x00\x14ftypqt  ", "MOV"),
        (b"\xff\xf1\x50\x80", "AAC"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xf9\x50\x80", "AAC"),
        (b"caff\x00\x01\x00\x00", "CAF"),
        (b"FORM\x00\x00\x10\x00AIFF", "AIFF"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "WMA"),
        (b"#!AMR\n", "AMR"),
        (b"OggS\x00\x02" + bytes(22) + b"Speex   ", "OGG"),
    ],
)
def test_other_formats_are_named_with_what_to_send_instead(head, name):
    error = refusal_of(head + bytes(1000))
    assert error.kind == "unsupported_format"
    assert name in error.details["format"]
    assert "decodeAudioData" in error.message


@pytest.mark.parametrize("container", ["AIFF", "CAF", "AU", "W64"])
def test_what_libsndfile_alone_would_open_is_refused(container):
    assert refusal_of(encoded(container)).kind == "unsupported_format"


def test_unrecognised_bytes_are_shown():
    error = refusal_of(b"\x01\x02\x03 what is this?")
    assert error.kind == "unsupported_format"
    assert "01 02 03" in error.message


def test_empty_files_are_empty():
    assert refusal_of(b"").kind == "empty"
    assert refusal_of(encoded("WAV", samples=SAMPLES[:0])).kind == "empty"


# What is broken


@pytest.mark.parametrize("n_bytes", [3, 12, 30])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_file_that_ends_in_its_header_is_refused(container, n_bytes):
    assert refusal_of(encoded(container)[:n_bytes]).kind in ("corrupt", "unsupported_format")


def test_damaged_files_are_corrupt():
    flac = bytearray(encoded("FLAC", samples=np.tile(SAMPLES, 5)))
    flac[len(flac) // 2] ^= 0xFF
    assert refusal_of(bytes(flac)).kind == "corrupt"
    error = refusal_of(b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(100))
    assert error.kind == "corrupt"
    assert error.details["format"] == "WAV"


@pytest.mark.parametrize("container", ["WAV", "RF64"])
def test_truncated_wav_is_told_its_bytes(container):
    data = encoded(container, "PCM_16")
    error = refusal_of(data[:-1000])
    assert error.kind == "truncated"
    assert error.details == {"promised_bytes": 32_000, "present_bytes": 31_000}


def test_a_chunk_of_odd_size_is_padded():
    data = encoded("WAV", "PCM_16")
    odd_chunk = b"note\x03\x00\x00\x00odd\x00"
    error = refusal_of(data[:12] + odd_chunk + data[12:-1000])
    assert error.details == {"promised_bytes": 32_000, "present_bytes": 31_000}


def test_truncated_flac_is_told_its_samples():
    error = refusal_of(encoded("FLAC")[:-1])
    assert error.kind == "truncated"
    assert error.details["promised_samples"] == N_SAMPLES
    assert 0 < error.details["present_samples"] < N_SAMPLES


def test_flac_that_promises_more_samples_than_it_has_is_truncated():
    error = refusal_of(with_flac_total(encoded("FLAC"), 2**36 - 1))
    assert error.kind == "truncated"
    assert error.details["present_samples"] == N_SAMPLES


def test_flac_of_unknown_length_is_decoded():
    assert len(samples_of(with_flac_total(encoded("FLAC"), 0))) == N_SAMPLES


def test_what_is_missing_after_the_crop_does_not_matter():
    half = encoded("WAV", "PCM_16")[:16_000]
    assert len(samples_of(half, end_s=0.4)) == 6_400
    assert refusal_of(half, end_s=0.6).kind == "truncated"


@pytest.mark.parametrize(
    "n_bytes", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0xFFFFFFFF - 100]
)
def test_wav_from_a_stream_has_no_known_size(n_bytes):
    data = with_wav_size(encoded("WAV", "FLOAT"), n_bytes)
    np.testing.assert_array_equal(samples_of(data), SAMPLES)


@pytest.mark.parametrize("n_bytes", [0, 2**64 - 1, 2**63])
def test_rf64_from_a_stream_has_no_known_size(n_bytes):
    data = with_ds64_size(encoded("RF64", "FLOAT"), n_bytes)
    np.testing.assert_array_equal(samples_of(data), SAMPLES)


# What is hostile


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
    assert find_data_chunk(io.BytesIO(data[:12] + junk * 10 + data[12:])) is not None
    assert find_data_chunk(io.BytesIO(data[:12] + junk * 10**6 + data[12:])) is None


def test_impossible_seeks_of_libsndfile_change_nothing():
    stream = _Stream(io.BytesIO(b"12345678"), None, lambda: False)
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
        assert refusal_of(data, DurationLimits(0.1, 1e9)).kind == "truncated"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**20


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_decoding_is_given_up_when_it_takes_too_long(container):
    clock = iter(range(0, 10**9, int(DECODE_TIMEOUT_S / 4)))
    data = encoded(container, samples=np.tile(SAMPLES, 5))
    error = refusal_of(data, clock=lambda: float(next(clock)))
    assert error.kind == "decode_timeout"


def test_a_file_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    class FailingDisk(io.BytesIO):
        def readinto(self, _buffer):
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


@pytest.mark.parametrize("fault", [RuntimeError("x"), ValueError("x"), MemoryError()])
def test_whatever_the_decoder_raises_is_translated(monkeypatch, fault):
    def read(*_args, **_options):
        raise fault

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    error = refusal_of(encoded("WAV"))
    assert error.kind == "corrupt"
    assert type(fault).__name__ in error.details["decoder_error"]


SEEDS = [encoded(*kind) for kind in [*SIXTEEN_BIT, *LOSSY, ("WAV", "MS_ADPCM")]]
HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(data):
    """Whether ``data`` is decoded or refused, soon; nothing but ``BadAudio`` may be raised."""
    started_s = time.monotonic()
    with contextlib.suppress(BadAudio):
        assert np.isfinite(samples_of(data)).all()
    return time.monotonic() - started_s < 5


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
