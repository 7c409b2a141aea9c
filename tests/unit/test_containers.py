"""Files that FFmpeg's libraries decode: M4A, WebM and others, where the extra is installed."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from unit.flac_writer import flac_of
from unit.sound_files import LIMITS, SAMPLES, refusal_of, samples_of, warnings_of

from protocol.params import EmbedParams, FileAudio, PathAudio, ProbeParams
from sidecar.audio.decoder import Decoder
from sidecar.audio.formats import containers

av = pytest.importorskip("av", reason="the extra [containers] is not installed")

BIT_RATES = {"wmav2": 64_000, "libopencore_amrnb": 12_200}
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)).astype(np.float32)


def made(format_name, codec, rate_hz=48_000, samples=TONE, channels=1):
    """``samples`` of 16 kHz, encoded at another rate."""
    file = io.BytesIO()
    with av.open(file, "w", format=format_name) as container:
        layout = {1: "mono", 8: "7.1"}[channels]
        stream = container.add_stream(codec, rate_hz, layout=layout)
        if codec in BIT_RATES:
            stream.bit_rate = BIT_RATES[codec]
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None], "flt", layout)
        frame.sample_rate = 16_000
        fitted = av.AudioResampler(stream.codec_context.format, layout, rate_hz)
        for part in [*fitted.resample(frame), *fitted.resample(None)]:
            for whole in _cut(part, stream):
                container.mux(stream.encode(whole))
        container.mux(stream.encode(None))
    return file.getvalue()


def _cut(frame, stream):
    fifo = av.AudioFifo()
    frame.pts = None
    fifo.write(frame)
    size = stream.codec_context.frame_size or frame.samples
    while (part := fifo.read(size, partial=True)) is not None:
        yield part


M4A = made("mp4", "aac")
WEBM = made("webm", "libopus")
FORMATS = {
    "M4A": M4A,
    "WebM": WEBM,
    "AAC": made("adts", "aac"),
    "WMA": made("asf", "wmav2", 44_100),
    "AMR": made("amr", "libopencore_amrnb", 8_000),
    "3GP": made("3gp", "libopencore_amrnb", 8_000),
    "ALAC": made("ipod", "alac", 16_000),
    "TTA": made("tta", "tta", 16_000),
    "WavPack": made("wv", "wavpack", 16_000),
}


def correlation(data):
    decoded = samples_of(data)[2_000:40_000]
    time_s = np.arange(len(decoded)) / 16_000
    waves = [f(2 * np.pi * 440 * time_s) for f in (np.sin, np.cos)]
    power = sum((decoded @ wave) ** 2 for wave in waves) / (len(decoded) / 2)
    return np.sqrt(power / (decoded @ decoded))


@pytest.mark.parametrize("name", FORMATS)
def test_they_are_decoded(name):
    data = FORMATS[name]
    assert len(samples_of(data)) / 16_000 == pytest.approx(3.0, abs=0.12)
    assert correlation(data) > 0.98
    assert warnings_of(data) == {}
    samples_of(data, strict=True)


@pytest.mark.parametrize("name", ["ALAC", "TTA", "WavPack"])
def test_a_crop_is_a_part_of_the_whole(name):
    data = FORMATS[name]
    crop = samples_of(data, start_s=1.0, end_s=1.5)
    np.testing.assert_array_equal(crop, samples_of(data)[16_000:24_000])


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_and_a_path_give_the_same(name, tmp_path):
    path = tmp_path / "speech"
    path.write_bytes(FORMATS[name])
    audio = PathAudio(str(path))
    *_, last = Decoder(LIMITS, "any", 600).decode(audio, EmbedParams(audio))
    np.testing.assert_array_equal(last.part.waveform.samples, samples_of(FORMATS[name]))


@pytest.mark.parametrize("name", FORMATS)
def test_they_are_probed(name):
    audio = FileAudio(FORMATS[name])
    *_, last = Decoder(LIMITS, "none", 600).decode(audio, ProbeParams(audio))
    assert last.told.duration_s == pytest.approx(3.0, abs=0.35)
    assert last.told.channels == 1


def test_what_opus_has_in_front_is_dropped_whatever_the_container_says():
    recorded_at_16k = made("matroska", "libopus", 16_000)
    assert len(samples_of(recorded_at_16k)) == pytest.approx(48_000, abs=2)


def test_eight_channels_are_decoded():
    wide = made("matroska", "aac", channels=8)
    assert correlation(wide) > 0.98


@pytest.mark.parametrize("bits", [12, 15, 20])
def test_flac_of_any_number_of_bits(bits):
    decoded = samples_of(flac_of(SAMPLES, 16_000, bits=bits))
    np.testing.assert_allclose(decoded, SAMPLES, rtol=0, atol=1.1 / (1 << bits))


@pytest.mark.parametrize("name", ["M4A", "WMA", "TTA", "3GP", "ALAC"])
def test_joined_files_are_never_half(name):
    data = FORMATS[name]
    assert refusal_of(data + data).kind == "truncated"


@pytest.mark.parametrize("name", ["WebM", "AAC", "AMR"])
def test_some_joined_files_are_decoded_whole(name):
    data = FORMATS[name]
    # A file of AMR begins with its name, which a second one has in its middle.
    assert len(samples_of(data + data)) > 1.9 * len(samples_of(data))


def test_mp4_that_is_cut():
    assert refusal_of(M4A[: len(M4A) // 2]).kind == "truncated"
    assert set(warnings_of(M4A + bytes(3))) == {"trailing_data"}
    assert refusal_of(b"Be freeftyp" + bytes(100)).kind == "unsupported_format"


def test_mp4_may_begin_with_space():
    # Offsets of samples count from the file's beginning: those of a fragment from its own.
    file = io.BytesIO()
    with (
        av.open(
            file, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof"}
        ) as out,
        av.open(io.BytesIO(M4A)) as source,
    ):
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    fragmented = file.getvalue()
    n_samples = len(samples_of(fragmented))
    assert n_samples == pytest.approx(len(samples_of(M4A)), abs=2_000)
    assert len(samples_of(b"\0\0\0\x08free" + fragmented)) == n_samples


def test_webm_that_is_cut_is_told():
    assert set(warnings_of(WEBM[: len(WEBM) * 2 // 3])) == {"missing_end"}
    assert refusal_of(WEBM[: len(WEBM) * 2 // 3], strict=True).kind == "truncated"


def test_what_is_damaged_is_told():
    place = M4A.index(b"mdat") + len(M4A) // 3
    damaged = M4A[:place] + bytes(2_000) + M4A[place + 2_000 :]
    assert "skipped_bytes" in warnings_of(damaged)


def test_no_other_file_is_opened(tmp_path):
    """Where a format can name one, FFmpeg is told not to look for it."""
    other = tmp_path / "secret.wav"
    other.write_bytes(M4A)
    playlist = b"#EXTM3U\n#EXTINF:3,\n" + str(other).encode() + b"\n"
    assert refusal_of(playlist).kind == "unsupported_format"
    list_of_files = b"ffconcat version 1.0\nfile " + str(other).encode()
    assert refusal_of(list_of_files).kind == "unsupported_format"
    # A movie whose samples lie in another file, by its data reference.
    assert M4A.count(b"url \0\0\0\1") == 1
    place = M4A.index(b"url \0\0\0\1") + 4
    outside = M4A[:place] + struct.pack(">I", 0) + M4A[place + 4 :]
    samples = samples_of(outside)
    np.testing.assert_array_equal(samples, samples_of(M4A))


def test_a_late_file_is_given_up():
    for n_calls in range(1, 9):
        answers = iter([False] * n_calls)
        error = refusal_of(M4A, is_given_up=lambda answers=answers: next(answers, True))
        assert error.kind == "decode_timeout"


def test_serving_does_not_import_it():
    code = "import sys, sidecar.audio.decoder; assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setattr(containers, "pyav", lambda: None)
    for data in (M4A, WEBM, flac_of(SAMPLES, 16_000, bits=12)):
        error = refusal_of(data)
        assert error.kind == "unsupported_format"
        assert "speaker-sidecar[containers]" in error.message
        assert "decodeAudioData" in error.message
