"""Real conversations through the real process: told as annotated, and the same when joined."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest
import soundfile

from protocol.diarization import DiarizeParams
from protocol.params import PathAudio, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.recording import parse_rttm

STEP_S = 0.005
COLLAR_S = 0.25
MOST_WRONG = 0.03
RATE_HZ, PAUSE_S = 16_000, 1.0
NAMES = ("interview-2", "talk-2")


@pytest.fixture(scope="module")
def recordings(shared):
    """Of two people each."""
    paths = [shared / "audio" / "conversations" / f"{name}.flac" for name in NAMES]
    if not all(path.exists() for path in paths):
        pytest.skip("no conversations in ../shared")
    return paths


@pytest.fixture(scope="module")
def diarize(sidecar_argv, segmentation_weights):
    """The answer about an audio."""
    with SpeakerSidecar.start([*sidecar_argv, "--log-level", "warning"]) as client:
        client.wait_until_ready()
        yield lambda audio: client.send(DiarizeParams(audio))[1].result(300)


@pytest.fixture(scope="module")
def alone(diarize, recordings):
    """The answer about each recording."""
    return [diarize(PathAudio(os.fspath(path))) for path in recordings]


def activity(turns, duration_s):
    """Who speaks in each step: speakers' names, and bool of shape (n_steps, n_speakers)."""
    names = sorted({name for *_, name in turns})
    at = (np.arange(round(duration_s / STEP_S)) + 0.5) * STEP_S
    speaks = np.zeros((len(at), len(names)), bool)
    for start_s, end_s, name in turns:
        speaks[(at >= start_s) & (at < end_s), names.index(name)] = True
    return at, speaks


def error_rate(reference, told, duration_s):
    """Missed, false alarm and confused speech, as a share of the speech.

    What lies within half of ``COLLAR_S`` of where a turn begins or ends is left out, as
    pyannote.metrics does.
    """
    at, truth = activity(reference, duration_s)
    _, guess = activity(told, duration_s)
    edges = np.array([edge for start_s, end_s, _ in reference for edge in (start_s, end_s)])
    counts = np.abs(at[:, None] - edges).min(axis=1) > COLLAR_S / 2
    truth, guess = truth[counts], guess[counts]
    width = max(truth.shape[1], guess.shape[1])
    truth = np.pad(truth, ((0, 0), (0, width - truth.shape[1])))
    n_true, n_told = truth.sum(axis=1), guess.sum(axis=1)
    right = max(
        (truth[:, list(order)][:, : guess.shape[1]] & guess).sum()
        for order in itertools.permutations(range(width))
    )
    return (np.maximum(n_true, n_told).sum() - right) / n_true.sum()


def turns_of(result):
    return [(turn["start_s"], turn["end_s"], turn["speaker"]) for turn in result["turns"]]


def test_the_error_rate_is_what_it_should_be():
    truth = [(0.0, 10.0, "a"), (10.0, 20.0, "b")]
    assert error_rate(truth, [(0.0, 20.0, "x")], 20.0) == pytest.approx(0.5)
    assert error_rate(truth, [(0.0, 10.1, "x"), (10.1, 20.0, "y")], 20.0) == 0
    assert error_rate(truth, [*truth, (0.0, 10.0, "b")], 20.0) == pytest.approx(0.5, abs=0.01)


def test_two_people_are_told_apart(alone, recordings):
    result, recording = alone[0], recordings[0]
    reference = parse_rttm(recording.with_suffix(".rttm").read_text("utf-8"), recording.stem)
    assert [speaker["label"] for speaker in result["speakers"]] == ["S1", "S2"]
    truth = [(turn.start_s, turn.end_s, turn.speaker) for turn in reference]
    rate = error_rate(truth, turns_of(result), result["duration_s"])
    print(f"diarization error rate with a collar of {COLLAR_S} s: {100 * rate:.2f} %")
    assert rate <= MOST_WRONG


def test_what_was_joined_is_told_as_its_parts_are_alone(alone, diarize, recordings):
    """Two recordings, and the first one again: four people, two of whom come back."""
    order = (0, 1, 0)
    samples = [soundfile.read(path, dtype="float32")[0] for path in recordings]
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    pieces = [piece for number in order for piece in (samples[number], pause)]
    pcm = np.concatenate(pieces).astype("<f4").tobytes()
    joined = diarize(PcmAudio(pcm, "f32le", RATE_HZ, 1))
    assert len(joined["speakers"]) == 4
    start_s, people = 0.0, []
    for number in order:
        duration_s = alone[number]["duration_s"]
        part = [
            (max(0.0, first_s - start_s), min(duration_s, last_s - start_s), who)
            for first_s, last_s, who in turns_of(joined)
            if last_s > start_s and first_s < start_s + duration_s
        ]
        people.append({who for *_, who in part})
        rate = error_rate(turns_of(alone[number]), part, duration_s)
        print(f"beside {NAMES[number]} alone: {100 * rate:.2f} % differ, people {people[-1]}")
        assert rate <= MOST_WRONG
        start_s += duration_s + PAUSE_S
    assert people[0] == people[2]
    assert not people[0] & people[1]
    assert [len(each) for each in people] == [2, 2, 2]
