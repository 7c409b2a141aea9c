"""Five people enrolled, and found again: right, or unknown, at the default threshold."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.scores.calibration import find_calibration
from sidecar.scores.decision import OperatingPoint, decide, decide_among

pytest.importorskip("sidecar.engine.onnx_library")

from sidecar.engine.speech_engine import SpeechEngine

N_ENROLLED = 3
POINT = OperatingPoint()


@pytest.fixture(scope="module")
def embed(campplus_weights):
    """A path's embedding, of length 1, and its seconds; with the calibration of the model."""
    engine = SpeechEngine(Config(model="campplus-zh-en"))
    engine.import_libraries()
    encoder = engine.open(lambda _: None, lambda: False)

    def embed_file(path):
        samples, rate_hz = soundfile.read(path, dtype="float32")
        [embedding] = encoder.embed([Waveform(samples)])
        return embedding.values / np.linalg.norm(embedding.values), len(samples) / rate_hz

    embed_file.calibration = find_calibration(encoder.model.fingerprint)
    return embed_file


@pytest.fixture(scope="module")
def people(embed, shared):
    """Each speaker's utterances, embedded."""
    folders = sorted(path for path in (shared / "audio" / "librispeech").iterdir() if path.is_dir())
    return {path.name: [embed(file) for file in sorted(path.iterdir())] for path in folders}


def identify(calibration, people, names, voice):
    """Which of ``names``, enrolled with their first utterances, it is."""
    enrolled = [people[name][:N_ENROLLED] for name in names]
    means = np.array([np.mean([embedding for embedding, _ in each], axis=0) for each in enrolled])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    seconds = np.array([sum(speech_s for _, speech_s in each) for each in enrolled])
    embedding, speech_s = voice
    cosines = (means @ embedding).astype(np.float64)
    found = decide_among(calibration, cosines, seconds, speech_s, POINT)
    return None if found.best is None else names[found.best]


def test_everybody_is_found(embed, people):
    names = [*people]
    for name in names:
        for voice in people[name][N_ENROLLED:]:
            assert identify(embed.calibration, people, names, voice) == name


def test_who_is_not_enrolled_is_unknown(embed, people):
    for name in people:
        others = [other for other in people if other != name]
        for voice in people[name][N_ENROLLED:]:
            assert identify(embed.calibration, people, others, voice) is None


def test_of_120_strangers_at_most_one_is_taken_for_anybody(embed, people, shared):
    files = sorted((shared / "audio" / "cohort").glob("*.flac"))
    if not files:
        pytest.skip("no ../shared/audio/cohort")
    names = [*people]
    taken = [identify(embed.calibration, people, names, embed(file)) for file in files]
    assert sum(name is not None for name in taken) <= len(files) / 100


def test_all_pairs_are_told_apart(embed, people):
    voices = [(name, voice) for name, each in people.items() for voice in each]
    accepted = {True: [], False: []}
    for place, (name, (one, one_s)) in enumerate(voices):
        for other_name, (other, other_s) in voices[:place]:
            decision = decide(embed.calibration, float(one @ other), one_s, other_s, POINT)
            accepted[name == other_name].append(decision.same)
    assert len(accepted[True]) + len(accepted[False]) == 1225
    assert all(accepted[True])
    assert np.mean(accepted[False]) <= 0.01
