"""probe(): what a file is, told without decoding all of it."""

import numpy as np
import pytest
from unit.seekable_files import mp3_of, noise_of, without_mp3_tag
from unit.sound_files import LIMITS, encoded, samples_of, with_flac_total

from protocol.errors import BadAudio
from protocol.params import FileAudio, PathAudio, PcmAudio, ProbeParams
from sidecar.audio.decoder import Decoder
from sidecar.audio.formats.libsndfile import Sound


def probed(audio):
    audio = audio if not isinstance(audio, bytes) else FileAudio(audio)
    steps = list(Decoder(LIMITS, "any", max_windows=600).decode(audio, ProbeParams(audio)))
    assert all(step.part is None for step in steps)
    assert [step.is_last for step in steps] == [False] * (len(steps) - 1) + [True]
    return steps[-1].told


STEREO = noise_of(66_150, 2)


@pytest.mark.parametrize(
    ("container", "subtype", "told"),
    [
        ("WAV", "PCM_16", ("WAV", "PCM", 16)),
        ("WAV", "PCM_U8", ("WAV", "PCM", 8)),
        ("WAV", "FLOAT", ("WAV", "float", 32)),
        ("WAV", "ULAW", ("WAV", "mu-law", 8)),
        ("WAV", "IMA_ADPCM", ("WAV", "IMA ADPCM", None)),
        ("RF64", "PCM_24", ("RF64", "PCM", 24)),
        ("AIFF", "PCM_16", ("AIFF", "PCM", 16)),
        ("FLAC", "PCM_24", ("FLAC", "FLAC", 24)),
        ("OGG", "VORBIS", ("OGG", "Vorbis", None)),
        ("MP3", None, ("MP3", "MP3", None)),
    ],
)
def test_formats_are_told(container, subtype, told):
    about = probed(encoded(container, subtype, STEREO, 44_100))
    assert (about.format, about.codec, about.bits) == told
    assert (about.sample_rate_hz, about.channels) == (44_100, 2)
    assert about.duration_s == pytest.approx(1.5, abs=0.03 if subtype == "IMA_ADPCM" else 1e-6)
    assert about.warnings == ()


def test_opus_is_told_at_its_own_rate():
    about = probed(encoded("OGG", "OPUS"))
    assert (about.codec, about.sample_rate_hz, about.duration_s) == ("Opus", 48_000, 1.0)


@pytest.mark.parametrize(
    "data",
    [
        without_mp3_tag(mp3_of("VARIABLE", 1, 44_100, 0.9)),
        mp3_of("CONSTANT", 1, 16_000) * 2,
        encoded("OGG", "VORBIS") * 3,
        with_flac_total(encoded("FLAC"), 100),
        with_flac_total(encoded("FLAC"), 0),
        encoded("FLAC") + encoded("FLAC"),
    ],
)
def test_the_duration_is_that_of_what_is_decoded(data):
    n_samples = len(samples_of(data))
    assert probed(data).duration_s == pytest.approx(n_samples / 16_000, abs=1e-4)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encoded("WAV", "PCM_16")[:-100], "missing_end"),
        (encoded("FLAC")[:-100], "missing_end"),
        (encoded("FLAC") + b"x", "trailing_data"),
        (encoded("MP3") + bytes(5000), "trailing_data"),
        (bytes(100) + encoded("MP3"), "skipped_bytes"),
    ],
)
def test_what_is_odd_is_told(data, kind):
    [warning] = probed(data).warnings
    assert warning.kind == kind
    with pytest.raises(BadAudio):
        probed(FileAudio(data, strict=True))


def test_nothing_is_decoded(monkeypatch):
    monkeypatch.setattr(Sound, "read", lambda *_: pytest.fail("decoded"))
    for container in ("WAV", "FLAC", "MP3", "OGG"):
        probed(encoded(container))


def test_a_long_file_is_probed_in_steps(tmp_path):
    path = tmp_path / "long.mp3"
    path.write_bytes(mp3_of("CONSTANT", 1, 16_000) * 20)
    audio = PathAudio(str(path))
    steps = list(Decoder(LIMITS, "any", 600).decode(audio, ProbeParams(audio)))
    assert len(steps) > 4


def test_samples_and_refusals():
    pcm = PcmAudio(np.zeros((8_000, 2), "<i2").tobytes(), "s16le", 8_000, 2)
    about = probed(pcm)
    assert (about.format, about.codec, about.duration_s, about.bits) == ("PCM", "s16le", 1.0, 16)
    with pytest.raises(BadAudio):
        probed(b"no audio")
    assert probed(encoded("WAV", rate_hz=4_000)).sample_rate_hz == 4_000  # told, though not decoded
