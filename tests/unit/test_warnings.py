"""What is odd about an audio, in the results of every method that takes one."""

import struct

import pytest
from unit.test_responses import SERVED, Embedding, answered, finished

from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    PathAudio,
    ProbeParams,
    ScoreParams,
    StoredEmbedding,
)
from protocol.python.embedding import read_embedding, read_outcomes, read_windows
from protocol.python.results import read
from protocol.reports import AudioWarning, ProbeResult
from sidecar.audio.waveform import Stereo

AUDIO = PathAudio("/a.wav")
CUT = AudioWarning("missing_end", "the WAV file is truncated", {"promised_bytes": 10})
OPPOSITE = AudioWarning("opposite_phase", "the channels cancel", {"channel": 1})
CUT_ON_THE_WIRE = {
    "kind": "missing_end",
    "message": "the WAV file is truncated",
    "promised_bytes": 10,
}
OPPOSITE_ON_THE_WIRE = {"kind": "opposite_phase", "message": "the channels cancel", "channel": 1}


def result_of(job):
    message, outcome = answered(job)
    assert outcome == "ok"
    return message.result


def odd(params, n_items=1, *, of_file=(CUT,), of_last=(OPPOSITE,)):
    job = finished(params, *[Embedding(3, 4)] * n_items)
    for source in job.sources:
        source.warnings = of_file
    *_, last = job.items
    last.warnings = of_last
    last.stereo = Stereo(-6.0, 9.0, 4.0)
    return job


def test_of_embed():
    result = result_of(odd(EmbedParams(AUDIO)))
    assert result["warnings"] == [CUT_ON_THE_WIRE, OPPOSITE_ON_THE_WIRE]
    assert result["channel_correlation"] == -1.0
    assert read_embedding(result | {"embedding": b""}).warnings == (CUT, OPPOSITE)


def test_nothing_is_told_where_nothing_is_odd():
    for params in (
        EmbedParams(AUDIO),
        EmbedWindowsParams(AUDIO, 1.0, 1.0),
        EmbedSegmentsParams(AUDIO, ((0, 1),)),
        ScoreParams(AUDIO, StoredEmbedding(struct.pack("<2f", 1, 0), SERVED.fingerprint)),
    ):
        result = result_of(finished(params, Embedding(3, 4)))
        assert not {"warnings", "channel_correlation"} & set(result)


def test_of_a_batch_each_has_its_own():
    job = odd(EmbedBatchParams((AUDIO, AUDIO)), 2)
    job.sources[0].warnings = ()
    result = result_of(job)
    first, second = (entry["result"] for entry in result["results"])
    assert "warnings" not in first
    assert second["warnings"] == [CUT_ON_THE_WIRE, OPPOSITE_ON_THE_WIRE]
    assert "warnings" not in result


def test_of_segments_those_of_the_audio_are_told_once():
    result = result_of(odd(EmbedSegmentsParams(AUDIO, ((0, 1), (1, 2))), 2))
    assert result["warnings"] == [CUT_ON_THE_WIRE]
    first, second = (entry["result"] for entry in result["results"])
    assert "warnings" not in first
    assert second["warnings"] == [OPPOSITE_ON_THE_WIRE]
    assert read_outcomes({"results": [], "warnings": result["warnings"]}).warnings == (CUT,)


def test_of_windows_it_is_said_how_many_have_it():
    job = odd(EmbedWindowsParams(AUDIO, 1.0, 1.0), 3)
    first, *_ = job.items
    first.warnings, first.stereo = (OPPOSITE,), Stereo(0.0, 9.0, 4.0)
    result = result_of(job)
    assert result["warnings"] == [CUT_ON_THE_WIRE, {**OPPOSITE_ON_THE_WIRE, "n_windows": 2}]
    assert result["channel_correlation"] == pytest.approx(-0.5)
    read = read_windows(result | {"embeddings": b""})
    assert [warning.kind for warning in read.warnings] == ["missing_end", "opposite_phase"]


def test_of_a_score_it_is_said_which_voice():
    stored = StoredEmbedding(struct.pack("<2f", 1, 0), SERVED.fingerprint)
    for params, sides in (
        (ScoreParams(AUDIO, AUDIO), ["a", "b"]),
        (ScoreParams(stored, AUDIO), ["b"]),
    ):
        job = odd(params, len(sides), of_last=())
        for item in job.items:
            item.outcome = Packed()
        warnings = result_of(job)["warnings"]
        assert warnings == [{**CUT_ON_THE_WIRE, "voice": side} for side in sides]


class Packed:
    def packed(self, *, normalize):
        return struct.pack("<2f", 3, 4) + (b"n" if normalize else b"")


def test_a_probe_needs_no_model():
    job = finished(ProbeParams(AUDIO))
    job.sources = odd(EmbedParams(AUDIO)).sources
    job.sources[0].items.clear()
    job.sources[0].told = ProbeResult("WAV", "PCM", 1.5, 16_000, 2, None, (CUT,))
    message, outcome = answered(job, served=None)
    assert outcome == "ok"
    assert message.result == {
        "format": "WAV",
        "codec": "PCM",
        "duration_s": 1.5,
        "sample_rate_hz": 16_000,
        "channels": 2,
        "bits": None,
        "warnings": [CUT_ON_THE_WIRE],
    }
    assert read(ProbeResult, message.result) == job.sources[0].told
