"""A real conversation through the real process: two people, told apart as annotated."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

from protocol.diarization import DiarizeParams
from protocol.params import PathAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.recording import parse_rttm

STEP_S = 0.005
COLLAR_S = 0.25
MOST_WRONG = 0.03


@pytest.fixture(scope="module")
def recording(shared):
    path = shared / "audio" / "conversations" / "interview-2.flac"
    if not path.exists():
        pytest.skip("no conversations in ../shared")
    return path


@pytest.fixture(scope="module")
def result(sidecar_argv, segmentation_weights, recording):
    with SpeakerSidecar.start([*sidecar_argv, "--log-level", "warning"]) as client:
        client.wait_until_ready()
        params = DiarizeParams(PathAudio(os.fspath(recording)))
        return client.send(params)[1].result(300)


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


def test_the_error_rate_is_what_it_should_be():
    truth = [(0.0, 10.0, "a"), (10.0, 20.0, "b")]
    assert error_rate(truth, [(0.0, 20.0, "x")], 20.0) == pytest.approx(0.5)
    assert error_rate(truth, [(0.0, 10.1, "x"), (10.1, 20.0, "y")], 20.0) == 0
    assert error_rate(truth, [*truth, (0.0, 10.0, "b")], 20.0) == pytest.approx(0.5, abs=0.01)


def test_two_people_are_told_apart(result, recording):
    reference = parse_rttm(recording.with_suffix(".rttm").read_text("utf-8"), recording.stem)
    told = [(turn["start_s"], turn["end_s"], turn["speaker"]) for turn in result["turns"]]
    assert [speaker["label"] for speaker in result["speakers"]] == ["S1", "S2"]
    truth = [(turn.start_s, turn.end_s, turn.speaker) for turn in reference]
    rate = error_rate(truth, told, result["duration_s"])
    print(f"diarization error rate with a collar of {COLLAR_S} s: {100 * rate:.2f} %")
    assert rate <= MOST_WRONG
