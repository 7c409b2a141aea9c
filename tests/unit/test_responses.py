from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from unit.test_calibration import PLAIN

from protocol.errors import BadAudio, Cancelled, IncompatibleEmbeddings, InvalidParams
from protocol.gallery_params import PeopleParams, VerifyParams
from protocol.gallery_reports import PeopleReport, VerifyResult
from protocol.messages import Failure, Result, decode_from_child
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedSegmentsParams,
    EmbedWindowsParams,
    PathAudio,
    ScoreParams,
    SpeechParams,
    StoredEmbedding,
)
from protocol.quality import Quality, SpeechResult
from protocol.reports import AudioWarning
from sidecar.requests.jobs import Item, Job, Lane, Source, Stage
from sidecar.requests.responses import Served, respond
from sidecar.requests.scoring import score

SERVED = Served("tiny", "tiny.1", 2, "cpu", 16_000)
AUDIO = PathAudio("/a.wav", start_s=1.5)
SEGMENTS = EmbedSegmentsParams(PathAudio("/a.wav"), ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0)))


class Embedding:
    def __init__(self, *values):
        self.values = values

    def packed(self, *, normalize):
        return struct.pack("<2f", *self.values) + (b"n" if normalize else b"")


def finished(params, *outcomes):
    job = Job(7, params, 10, arrived_at=1.0)
    one_audio = isinstance(params, (EmbedWindowsParams, EmbedSegmentsParams))
    numbers = [0] if one_audio else range(len(outcomes))
    job.sources = [Source(job, AUDIO, number, Lane.FILES, Stage.DONE) for number in numbers]
    for index, outcome in enumerate(outcomes):
        source = job.sources[0 if one_audio else index]
        source.items.append(item(source, index, outcome))
    return job


def item(source, index, outcome):
    return Item(
        source,
        (source.number, index),
        decode_s=0.002,
        n_samples=16_000,
        start_sample=8_000 * index,
        stage=Stage.DONE,
        outcome=outcome,
        batch_size=1,
        run_started_at=1.010 + index,
        run_ended_at=1.030 + index,
    )


def undecoded(params, error):
    job = finished(params)
    job.sources = [Source(job, AUDIO, 0, Lane.FILES, Stage.DONE, error=error)]
    return job


def answered(job, served=SERVED):
    response = respond(job, served)
    return decode_from_child(response.payload), response.outcome


def test_an_embedding_with_where_its_time_went():
    message, outcome = answered(finished(EmbedParams(AUDIO), Embedding(3, 4)))
    assert outcome == "ok"
    assert isinstance(message, Result)
    assert message.id == 7
    timings = message.result.pop("timings")
    assert message.result == {
        "embedding": struct.pack("<2f", 3, 4) + b"n",
        "dim": 2,
        "model": "tiny",
        "fingerprint": "tiny.1",
        "normalized": True,
        "duration_s": 1.0,
        "device": "cpu",
        "batch_size": 1,
    }
    assert timings == pytest.approx({"decode_ms": 2.0, "queue_ms": 8.0, "compute_ms": 20.0})


def test_without_normalisation_the_values_are_the_networks():
    message, _ = answered(finished(EmbedParams(AUDIO, normalize=False), Embedding(3, 4)))
    assert message.result["embedding"] == struct.pack("<2f", 3, 4)
    assert message.result["normalized"] is False


def test_an_error_is_the_answer_and_its_kind_the_outcome():
    message, outcome = answered(finished(EmbedParams(AUDIO), BadAudio("no", kind="empty")), None)
    assert isinstance(message, Failure)
    assert (message.code, outcome) == (-32010, "empty")


def test_a_batch_has_a_result_whatever_came_of_its_items():
    params = EmbedBatchParams((AUDIO, AUDIO))
    message, outcome = answered(finished(params, Embedding(1, 0), Cancelled("no")))
    first, second = message.result["results"]
    assert first["result"]["dim"] == 2
    assert second["error"]["data"]["kind"] == "cancelled"
    assert outcome == "ok"
    message, _ = answered(finished(params, Cancelled("no"), Cancelled("no")), None)
    assert [list(entry) for entry in message.result["results"]] == [["error"], ["error"]]


def test_windows_come_in_one_bin_with_their_starts_in_the_audios_time():
    params = EmbedWindowsParams(AUDIO, window_s=1.0, hop_s=0.5, normalize=False)
    message, _ = answered(finished(params, Embedding(1, 2), Embedding(3, 4)))
    result = message.result
    assert struct.unpack("<4f", result["embeddings"]) == (1, 2, 3, 4)
    assert (result["count"], result["dim"], result["starts_s"]) == (2, 2, [1.5, 2.0])
    assert result["duration_s"] == 1.5
    assert result["timings"]["compute_ms"] == pytest.approx(1020.0)


def test_one_bad_window_fails_them_all():
    params = EmbedWindowsParams(AUDIO, window_s=1.0, hop_s=0.5)
    message, _ = answered(finished(params, Embedding(1, 2), BadAudio("no")))
    assert isinstance(message, Failure)


def test_an_audio_that_cannot_be_decoded_to_its_end_has_no_windows():
    job = finished(EmbedWindowsParams(AUDIO, window_s=1.0, hop_s=0.5), Embedding(1, 2))
    job.sources[0].error = BadAudio("no", kind="truncated")
    message, outcome = answered(job)
    assert isinstance(message, Failure)
    assert outcome == "truncated"


@pytest.mark.parametrize(
    "params", [EmbedParams(AUDIO), EmbedWindowsParams(AUDIO, 1.0, 1.0), SEGMENTS]
)
def test_an_audio_that_cannot_be_decoded_at_all_is_refused(params):
    message, outcome = answered(undecoded(params, BadAudio("no", kind="corrupt")), None)
    assert isinstance(message, Failure)
    assert outcome == "corrupt"


def test_segments_come_in_the_order_in_which_they_were_asked_for():
    job = finished(SEGMENTS)
    [source] = job.sources = [Source(job, AUDIO, 0, Lane.FILES, Stage.DONE)]
    outcomes = {2: Embedding(3, 4), 1: BadAudio("no", kind="too_short"), 0: Embedding(1, 2)}
    source.items += [item(source, index, outcome) for index, outcome in outcomes.items()]
    message, outcome = answered(job)
    first, second, third = message.result["results"]
    assert first["result"]["embedding"] == struct.pack("<2f", 1, 2) + b"n"
    assert second["error"]["data"]["kind"] == "too_short"
    assert third["result"]["embedding"] == struct.pack("<2f", 3, 4) + b"n"
    assert outcome == "ok"


def test_segments_behind_a_fault_have_its_error():
    job = finished(SEGMENTS, Embedding(1, 2))
    job.sources[0].error = BadAudio("no", kind="corrupt")
    message, outcome = answered(job)
    assert [list(entry) for entry in message.result["results"]] == [
        ["result"],
        ["error"],
        ["error"],
    ]
    assert message.result["results"][2]["error"]["data"]["kind"] == "corrupt"
    assert outcome == "ok"


def test_segments_without_an_embedding_came_out_as_the_first_one_that_was_asked_for():
    job = finished(SEGMENTS)
    [source] = job.sources = [Source(job, AUDIO, 0, Lane.FILES, Stage.DONE)]
    kinds = {2: "bad_crop", 0: "too_short", 1: "too_long"}  # as they were cut
    source.items += [item(source, n, BadAudio("no", kind=kind)) for n, kind in kinds.items()]
    message, outcome = answered(job, None)
    told = [entry["error"]["data"]["kind"] for entry in message.result["results"]]
    assert told == ["too_short", "too_long", "bad_crop"]
    assert outcome == "too_short"


def stored(*values, fingerprint="tiny.1"):
    return StoredEmbedding(struct.pack(f"<{len(values)}f", *values), fingerprint)


def test_score_of_an_audio_and_a_stored_embedding_in_either_order():
    for params in (ScoreParams(AUDIO, stored(0, 2)), ScoreParams(stored(0, 2), AUDIO)):
        message, _ = answered(finished(params, Embedding(3, 4)))
        assert message.result == {"cosine": pytest.approx(0.8), "fingerprint": "tiny.1"}


def test_score_of_two_audios():
    message, _ = answered(finished(ScoreParams(AUDIO, AUDIO), Embedding(3, 4), Embedding(-3, -4)))
    assert message.result["cosine"] == -1.0


def test_a_stored_embedding_of_another_model_is_refused():
    params = ScoreParams(AUDIO, stored(0, 2, fingerprint="other.1"))
    message, outcome = answered(finished(params, Embedding(3, 4)))
    assert (message.code, outcome) == (-32012, "incompatible_embeddings")


@pytest.mark.parametrize("bad", [(0, 0), (float("nan"), 1), (float("inf"), 1)])
def test_an_embedding_without_direction_has_no_score(bad):
    with pytest.raises(InvalidParams, match="direction"):
        score(stored(1, 2), stored(*bad))


def test_embeddings_of_two_lengths_have_no_score():
    with pytest.raises(IncompatibleEmbeddings):
        score(stored(1, 2), stored(1, 2, 3))


def test_a_cosine_is_within_its_bounds_whatever_rounding_does():
    third = stored(0.1, 0.1, 0.1)
    assert score(third, third).cosine <= 1.0


@pytest.mark.parametrize(
    ("outcomes", "came_out_as"),
    [
        ([Embedding(1, 0), Cancelled("no")], "ok"),
        ([BadAudio("no", kind="empty"), Embedding(1, 0)], "ok"),
        ([Cancelled("no"), Cancelled("no")], "cancelled"),
        ([BadAudio("no", kind="empty"), Cancelled("no")], "empty"),
    ],
)
def test_a_batch_of_which_nothing_was_embedded_did_not_come_out_well(outcomes, came_out_as):
    job = finished(EmbedBatchParams((AUDIO, AUDIO)), *outcomes)
    message, outcome = answered(job)
    assert isinstance(message, Result)
    assert outcome == came_out_as


QUALITY = Quality(1.25, -20.0, 30.0, 0.0, 8000.0, None, ("little_speech",))


def test_an_embedding_has_the_quality_of_its_audio():
    job = finished(EmbedParams(AUDIO), Embedding(3.0, 4.0))
    job.sources[0].items[0].quality = QUALITY
    told = answered(job)[0].result["quality"]
    assert told["speech_s"] == 1.25
    assert told["channel_correlation"] is None
    assert told["flags"] == ["little_speech"]


def test_a_score_has_the_qualities_of_the_audios_alone():
    stored = StoredEmbedding(struct.pack("<2f", 3.0, 4.0), "tiny.1")
    job = finished(ScoreParams(stored, AUDIO), Embedding(3.0, 4.0))
    job.sources[0].items[0].quality = QUALITY
    told = answered(job)[0].result
    assert "quality_a" not in told
    assert told["quality_b"]["speech_s"] == 1.25


@pytest.mark.parametrize(
    ("speech_s", "same"), [(None, None), (0.0, None), (0.49, None), (0.5, True)]
)
def test_what_is_no_speech_is_not_the_same_person_however_alike(speech_s, same):
    stored = StoredEmbedding(struct.pack("<2f", 3.0, 4.0), "tiny.1", 4.0)
    quiet = replace(stored, speech_s=speech_s)
    for a, b in ((stored, quiet), (quiet, stored)):
        told = score(a, b, calibration=PLAIN)
        assert told.cosine == pytest.approx(1.0)
        assert (told.same, told.llr is None, told.probability is None) == (
            same,
            same is None,
            same is None,
        )


def test_who_it_is_comes_with_what_is_odd_about_the_audio():
    job = finished(VerifyParams("7", AUDIO), Embedding(3.0, 4.0))
    told = (AudioWarning("poor_quality", "it is noisy", {}),)
    job.answer = VerifyResult("7", "Anna", 0.5, *[None] * 5, 3.0, "tiny.1", warnings=told)
    job.sources[0].warnings = (AudioWarning("missing_end", "it is cut", {}),)
    job.sources[0].items[0].warnings = (AudioWarning("opposite_phase", "it cancels", {}),)
    warnings = answered(job)[0].result["warnings"]
    assert [one["kind"] for one in warnings] == ["missing_end", "opposite_phase", "poor_quality"]


def test_a_list_of_people_is_told_as_it_is():
    job = Job(7, PeopleParams(), 10, arrived_at=1.0)
    job.answer = PeopleReport(())
    assert answered(job)[0].result == {"people": []}


def test_speech_is_told_without_an_embedding():
    job = finished(SpeechParams(AUDIO))
    job.sources = [Source(job, AUDIO, 0, Lane.FILES, Stage.DONE)]
    job.sources[0].told = SpeechResult(((1.5, 2.0), (2.25, 3.0)), 1.25, 4.0)
    assert decode_from_child(respond(job, None).payload).result == {
        "segments": [[1.5, 2.0], [2.25, 3.0]],
        "speech_s": 1.25,
        "duration_s": 4.0,
    }
