"""Rows through the real decoder, with a network that embeds an audio as its mean level."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow, of the extra [corpus], is not installed")

import soundfile
from light_detector import open_light_detector
from light_segmenter import open_light_segmenter

from protocol.errors import BadAudio, DeviceError, OutOfMemory
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import DurationLimits
from sidecar.config import Config
from sidecar.corpus import embedder as embedders
from sidecar.corpus.embedder import Embedder
from sidecar.corpus.utterances import Embedded, Failed, Listed
from sidecar.engine.batch_limits import ONE_BY_ONE, BatchLimits
from sidecar.engine.encoder import Embedding

RATE_HZ = 16_000
MOST_S = 20.0
NOISE = np.random.default_rng(0).standard_normal(60 * RATE_HZ)
# Amplitudes, by which the light segmenter tells people apart.
FIRST, SECOND = 0.05, 0.2
TOGETHER = BatchLimits(max_items=4, max_padded_samples=60 * RATE_HZ, min_likeness=0.5)


class Encoder:
    """Counts what it is asked together."""

    def __init__(self, limits=ONE_BY_ONE, fault=None):
        self.model = SimpleNamespace(id="made-up", fingerprint="campplus.0", embedding_dim=2)
        self.batch_limits = limits
        self.batches = []
        self.fault = fault

    def embed(self, waveforms):
        self.batches.append([round(waveform.duration_s, 1) for waveform in waveforms])
        if self.fault is not None:
            self.fault(waveforms)
        return [self._one(float(np.abs(waveform.samples).mean())) for waveform in waveforms]

    @staticmethod
    def _one(level):
        is_loud = level > 0.1
        return Embedding(3 * np.array([1 - is_loud, is_loud], np.float32))


@pytest.fixture
def opened(monkeypatch):
    def open_embedder(encoder=None, speech="all", n_decoders=0):
        encoder = encoder or Encoder()
        decoder = Decoder(DurationLimits(0.1, MOST_S), "any", 100)
        engine = SimpleNamespace(
            import_libraries=lambda: decoder, open=lambda _progress, _should_stop: encoder
        )
        monkeypatch.setattr(embedders, "SpeechEngine", lambda _config: engine)
        for opening, light in (
            (embedders.speech_opening, open_light_detector),
            (embedders.diarization_opening, open_light_segmenter),
        ):
            monkeypatch.setattr(opening, "from_store", lambda _config, light=light: light)
        return Embedder(Config(), speech, n_decoders)

    return open_embedder


@pytest.fixture
def listed(tmp_path):
    def write(name, *runs, **more):
        """Of runs of (seconds, amplitude)."""
        samples = [amplitude * NOISE[: round(s * RATE_HZ)] for s, amplitude in runs]
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.concatenate(samples), RATE_HZ, subtype="FLOAT")
        return Listed(name, str(path), **more)

    return write


def by_id(outcomes):
    return {one.id if isinstance(one, Embedded) else one.listed.id: one for one in outcomes}


def test_an_utterance_has_times_speech_quality_and_a_unit_embedding(opened, listed):
    row = listed("u", (3, FIRST), speaker="ann")
    [told] = opened().embed([row])
    assert (told.id, told.listed, told.voice, told.turns) == ("u", row, None, ())
    assert (told.start_s, told.end_s, told.duration_s) == (0.0, 3.0, 3.0)
    assert told.embedding.tolist() == [1.0, 0.0]
    assert told.speech_s == pytest.approx(3, abs=0.1)
    assert told.quality.speech_s == told.speech_s


def test_a_part_of_a_file_is_embedded_alone(opened, listed):
    row = listed("u", (3, FIRST), (3, SECOND), start_s=3.5, end_s=5.5)
    [told] = opened().embed([row])
    assert (told.start_s, told.end_s, told.duration_s) == (3.5, 5.5, 2.0)
    assert told.embedding.tolist() == [0.0, 1.0]


def test_with_auto_only_the_speech_is_embedded_and_all_of_it_counts_as_audio(opened, listed):
    encoder = Encoder()
    [told] = opened(encoder, "auto").embed([listed("u", (3, FIRST), (6, 0.0))])
    assert told.duration_s == 9.0
    [[embedded_s]] = encoder.batches
    assert embedded_s < 4


def test_a_bad_row_is_told_as_such_and_the_others_go_on(opened, listed, tmp_path):
    junk = tmp_path / "junk.wav"
    junk.write_bytes(b"RIFF" + bytes(range(200)))
    rows = [
        Listed("gone", str(tmp_path / "gone.wav")),
        Listed("junk", str(junk)),
        listed("short", (0.05, FIRST)),
        listed("silent", (3, 0.0)),
        Listed("elsewhere", "nothing-reads-this://host/a.wav"),
        listed("good", (3, FIRST)),
    ]
    told = by_id(opened(speech="require").embed(rows))
    kinds = {name: one.kind for name, one in told.items() if isinstance(one, Failed)}
    assert kinds == {
        "gone": "path_not_found",
        "junk": told["junk"].kind,
        "short": "too_short",
        "silent": "no_speech",
        "elsewhere": "path_unreadable",
    }
    assert isinstance(told["good"], Embedded)


def test_a_fault_inside_is_one_rows(opened, listed, monkeypatch):
    embedder = opened()
    decode = Decoder.decode

    def fail(self, audio, *more):
        if "first" in audio.path:
            raise ZeroDivisionError("a bug")
        return decode(self, audio, *more)

    monkeypatch.setattr(Decoder, "decode", fail)
    told = by_id(embedder.embed([listed("first", (2, FIRST)), listed("second", (2, FIRST))]))
    assert (told["first"].kind, isinstance(told["second"], Embedded)) == ("internal", True)


def test_a_long_recording_becomes_a_row_for_each_voice(opened, listed):
    row = listed("talk", *[(8, FIRST), (8, SECOND)] * 2, speaker="label")
    told = by_id(opened().embed([row]))
    assert set(told) == {"talk#S1", "talk#S2"}
    first, second = told["talk#S1"], told["talk#S2"]
    assert first.embedding == pytest.approx([1, 0], abs=0.05)
    assert second.embedding == pytest.approx([0, 1], abs=0.05)
    assert np.array(first.turns) == pytest.approx(np.array([(0, 8), (16, 24)]), abs=0.2)
    assert (first.start_s, first.end_s) == (first.turns[0][0], first.turns[-1][1])
    assert first.speech_s == pytest.approx(16, abs=0.3)
    assert first.duration_s + second.duration_s == pytest.approx(32, abs=0.1)


def test_the_turns_of_a_part_are_in_the_time_of_the_file(opened, listed):
    row = listed("talk", (10, 0.0), (30, FIRST), start_s=5.0)
    [told] = opened().embed([row])
    assert told.start_s == pytest.approx(10, abs=0.2)


def test_a_long_recording_without_speech_has_failed(opened, listed):
    [told] = opened().embed([listed("music", (30, 0.0))])
    assert (told.kind, told.listed.id) == ("no_speech", "music")


@pytest.mark.parametrize("n_decoders", [0, 3])
def test_what_is_alike_is_embedded_together(opened, listed, n_decoders):
    encoder = Encoder(TOGETHER)
    lengths = [1, 6, 1.2, 5, 1.1, 5.5, 0.9, 6]
    rows = [listed(f"u{n}", (length, FIRST)) for n, length in enumerate(lengths)]
    told = by_id(opened(encoder, n_decoders=n_decoders).embed(rows))
    assert {name: one.duration_s for name, one in told.items()} == pytest.approx(
        {f"u{n}": length for n, length in enumerate(lengths)}
    )
    assert encoder.batches == [[6.0, 6.0, 5.5, 5.0], [1.2, 1.1, 1.0, 0.9]]


def test_what_does_not_fit_into_memory_together_is_halved(opened, listed):
    def one_at_a_time(waveforms):
        if len(waveforms) > 1:
            raise OutOfMemory("too much")

    encoder = Encoder(TOGETHER, one_at_a_time)
    told = list(opened(encoder).embed([listed(f"u{n}", (1, FIRST)) for n in range(4)]))
    assert [isinstance(one, Embedded) for one in told] == [True] * 4
    assert [len(batch) for batch in encoder.batches] == [4, 2, 1, 1, 2, 1, 1]


def test_a_device_that_fails_is_no_rows_fault(opened, listed):
    def fail(_waveforms):
        raise DeviceError("it is gone")

    for row in (listed("u", (1, FIRST)), listed("long", (30, FIRST))):
        with pytest.raises(DeviceError):
            list(opened(Encoder(fault=fail)).embed([row]))


def test_with_care_one_is_done_after_the_other(opened, listed):
    encoder, began = Encoder(TOGETHER), []
    rows = [listed(f"u{n}", (1, FIRST)) for n in range(3)]
    for told in opened(encoder, n_decoders=2).embed(rows, began.append):
        assert began[-1] == told.listed
    assert [len(batch) for batch in encoder.batches] == [1, 1, 1]


def test_a_file_elsewhere_is_fetched_and_forgotten(opened, listed, tmp_path):
    import fsspec

    row = listed("u", (2, FIRST))
    store = fsspec.filesystem("memory")
    store.put(row.path, "/far/u.wav")
    try:
        [told] = opened().embed([Listed("u", "memory://far/u.wav")])
        [missing] = opened().embed([Listed("v", "memory://far/v.wav")])
    finally:
        store.rm("/far", recursive=True)
    assert told.duration_s == 2.0
    assert missing.kind == "path_not_found"


def test_bad_audio_is_what_storage_raises(tmp_path):
    from sidecar.corpus.storage import on_this_machine

    with pytest.raises(BadAudio, match="cannot be read"), on_this_machine("memory://no/such.wav"):
        pass
