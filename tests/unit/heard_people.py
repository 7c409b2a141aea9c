"""A sidecar whose part a test plays, for people with made-up voices."""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from protocol.messages import Failure
from protocol.python import RemoteError

DIM = 64
BAD = "bad.wav"


def voice_of(path, spread=0.05):
    """The embedding of ``p3-1.wav``: utterance 1 of person 3; always the same one."""
    person, utterance = map(int, re.findall(r"\d+", Path(path).name))
    voice = np.random.default_rng(person).standard_normal(DIM)
    voice /= np.linalg.norm(voice)
    voice += spread * np.random.default_rng(1000 * person + utterance).standard_normal(DIM)
    return (voice / np.linalg.norm(voice)).astype("<f4")


class PlayedSidecar:
    """Answers ``embed``; ``sent`` are the requests' params. ``quality``: whether it tells any."""

    def __init__(self, fingerprint, spread, quality):
        self.fingerprint, self.spread, self.quality = fingerprint, spread, quality
        self.sent = []

    def send(self, params):
        self.sent.append(params)
        future = Future()
        path = params.audio.path
        if path.endswith(BAD):
            failure = Failure(len(self.sent), -32010, "it is no audio", {"kind": "bad_audio"})
            future.set_exception(RemoteError(failure))
            return len(self.sent), future
        result = {
            "embedding": voice_of(path, self.spread).tobytes(),
            "fingerprint": self.fingerprint,
            "duration_s": 9.0,
        }
        if self.quality:
            result["quality"] = {"speech_s": 4.0, "flags": []}
        future.set_result(result)
        return len(self.sent), future


def play(monkeypatch, fingerprint="none.0", *, spread=0.05, quality=True):
    """Have ``heard_trials`` start a played sidecar; it, with the options in ``words``."""
    from sidecar.tools import heard_trials

    played = PlayedSidecar(fingerprint, spread, quality)

    @contextlib.contextmanager
    def started(words, progress):
        played.words = words
        yield played, SimpleNamespace()

    monkeypatch.setattr(heard_trials, "started_sidecar", started)
    return played


def trials_of(n_people, n_utterances=2, further=()):
    """A list: all pairs of utterances of each person, and the first ones of each two."""
    lines = [
        f"1 p{person}-{one}.wav p{person}-{other}.wav"
        for person in range(n_people)
        for one in range(n_utterances)
        for other in range(one)
    ]
    lines += [f"0 p{a}-0.wav p{b}-0.wav" for a in range(n_people) for b in range(a)]
    return "\n".join([*lines, *further]) + "\n"
