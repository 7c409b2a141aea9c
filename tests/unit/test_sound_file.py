"""Audio files: what is decoded, and what other and broken ones lead to."""

import numpy as np
import pytest
from unit.sound_files import (
    LIMITS,
    LOSSY,
    N_SAMPLES,
    SAMPLES,
    SIXTEEN_BIT,
    decode,
    encoded,
    refusal_of,
    samples_of,
    warnings_of,
    with_ds64_size,
    with_flac_total,
    with_wav_size,
)

from protocol.errors import BadAudio
from protocol.params import PathAudio
from sidecar.audio.formats import containers
from sidecar.audio.formats.recording import BLOCK_VALUES
from sidecar.audio.waveform import DurationLimits
from sidecar.config import SAMPLE_RATE_HZ

LOSSLESS = [("WAV", "FLOAT"), ("WAVEX", "FLOAT"), ("RF64", "FLOAT")]


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
    stereo = np.stack([SAMPLES, np.zeros_like(SAMPLES)], axis=1)
    decoded = samples_of(encoded("FLAC", "PCM_16", stereo, 48_000))
    assert len(decoded) == round(N_SAMPLES / 3)
    left = samples_of(encoded("FLAC", "PCM_16", SAMPLES, 48_000))
    np.testing.assert_allclose(decoded, left / 2, rtol=0, atol=1e-6)


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
    assert 1.0 < error.details["duration_s"] <= 1.0 + BLOCK_VALUES / SAMPLE_RATE_HZ
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
        (b"\xff\xf1\x50\x80\x01\x00\x1f\xfc" * 3, "AAC"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xf9\x50\x80\x01\x00\x1f\xfc" * 3, "AAC"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "WMA"),
        (b"#!AMR\n", "AMR"),
        (b"MAC \x96\x0f", "APE"),
        (b"TTA1\x01\x00", "TTA"),
        (b"ADIF", "ADIF"),
    ],
)
def test_other_formats_are_named_with_what_to_do(head, name, monkeypatch):
    monkeypatch.setattr(containers, "pyav", lambda: None)
    error = refusal_of(head + bytes(1000))
    assert error.kind == "unsupported_format"
    assert name in error.details["format"]
    assert "decodeAudioData" in error.message
    assert ("speaker-sidecar[containers]" in error.message) == (name != "ADIF")


@pytest.mark.parametrize(
    "head",
    [
        b"\x01\x02\x03\x04",
        b"password=hunter2",
        b"\n",
        bytes(100),
        "password=hunter2".encode("utf-16"),  # its first two bytes could begin an MP3
    ],
)
def test_nothing_is_told_of_unrecognised_bytes(head, tmp_path):
    path = tmp_path / "unknown.wav"
    path.write_bytes(head)
    with pytest.raises(BadAudio) as caught:
        decode(PathAudio(str(path)), limits=LIMITS, path_root="any")
    for error in (refusal_of(head), caught.value):
        assert error.kind == "unsupported_format"
        # The same words whatever the file holds.
        assert error.message == (
            "the audio file's format is not recognised: send WAV, FLAC, OGG, MP3 or PCM; "
            + containers.ADVICE
        )
        assert error.details == {}


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


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF%bWAVE%b" % (b"\xff\xff\0\0", b"SECRET"),
        b"RIFF%bWAVEfmt \x10\0\0\0%b" % (bytes(4), b"SECRET" * 9),
        b"fLaC" + b"SECRET" * 9,
        b"OggS\0\x02" + bytes(22) + b"\x01vorbis" + b"SECRET" * 9,
        b"ID3\x04\0\0\0\0\0\0" + b"SECRET" * 9,
    ],
)
def test_nothing_is_quoted_of_a_damaged_file(head):
    error = refusal_of(head)
    assert error.kind == "corrupt"
    told = f"{error.message} {error.details}"
    assert "SECRET" not in told
    assert b"SEC".hex() not in told.replace(" ", "")


@pytest.mark.parametrize("container", ["WAV", "RF64"])
def test_truncated_wav_is_told_its_bytes(container):
    data = encoded(container, "PCM_16")
    error = refusal_of(data[:-1000], strict=True)
    assert error.kind == "truncated"
    assert error.details == {"promised_bytes": 32_000, "present_bytes": 31_000}
    warning = warnings_of(data[:-1000])["missing_end"]
    assert warning.details == error.details
    np.testing.assert_array_equal(samples_of(data[:-1000]), samples_of(data)[:-500])


def test_a_chunk_of_odd_size_is_padded():
    data = encoded("WAV", "PCM_16")
    odd_chunk = b"note\x03\x00\x00\x00odd\x00"
    error = refusal_of(data[:12] + odd_chunk + data[12:-1000], strict=True)
    assert error.details == {"promised_bytes": 32_000, "present_bytes": 31_000}


def test_truncated_flac_is_told_its_samples():
    error = refusal_of(encoded("FLAC")[:-1], strict=True)
    assert error.kind == "truncated"
    assert error.details["promised_samples"] == N_SAMPLES
    n_present = error.details["present_samples"]
    assert 0 < n_present < N_SAMPLES
    assert warnings_of(encoded("FLAC")[:-1])["missing_end"].details == error.details
    np.testing.assert_array_equal(
        samples_of(encoded("FLAC")[:-1]), samples_of(encoded("FLAC"))[:n_present]
    )


def test_flac_that_promises_more_samples_than_it_has_is_truncated():
    error = refusal_of(with_flac_total(encoded("FLAC"), 2**36 - 1), strict=True)
    assert error.kind == "truncated"
    assert error.details["present_samples"] == N_SAMPLES


def test_flac_of_unknown_length_is_decoded():
    assert len(samples_of(with_flac_total(encoded("FLAC"), 0))) == N_SAMPLES


def test_what_is_missing_after_the_crop_does_not_matter():
    half = encoded("WAV", "PCM_16")[:16_000]
    assert len(samples_of(half, end_s=0.4, strict=True)) == 6_400
    assert warnings_of(half, end_s=0.4) == {}
    assert refusal_of(half, end_s=0.58, strict=True).kind == "truncated"
    assert set(warnings_of(half, end_s=0.58)) == {"missing_end"}


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
