"""Prints how soon, and how rightly, it is said who speaks: ``python tests/model/measure_live.py``.

A row for each dialogue with two enrolled people (see ``live_material.py``), which is played in
pieces of a quarter of a second:

- from the beginning of a turn of 1.5 s or more to the right name: median, and the 95th percentile
  (a turn that never got it counts as endless), computing included;
- of the enrolled people's speech, how much had the right name and how much a wrong one, while it
  lasted ("shown": no name at all is the rest), and by the final turns;
- of the others', how much had a name by the final turns;
- DER without a collar, of the final turns and at the close, and the people of both;
- processor time for each second of the stream.

Needs the extra ``[evaluate]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from live_material import RATE_HZ, conversations, dialogues
from people_material import open_encoder

from protocol.gallery_reports import PersonName
from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.diarization import opening
from sidecar.diarization.live import LiveDiarization, Named
from sidecar.diarization.speakers import find_people, local_speakers, max_distance
from sidecar.diarization.timeline import spoken, turns_of
from sidecar.scores.calibration import find_calibration
from sidecar.scores.decision import OperatingPoint, decide_among
from sidecar.speech import opening as speech_opening

FRAMES_PER_S = 100
LEAST_TURN_S, PAUSE_S = 1.5, 0.5


class Player:
    """Plays dialogues into streams."""

    def __init__(self, model):
        config, nothing = Config(model=model, threads=1), lambda *_: None
        self.encoder = open_encoder(model)
        self.fingerprint = self.encoder.model.fingerprint
        self.detector = speech_opening.from_store(config)(nothing, lambda: False, nothing)
        self.segmenter = opening.from_store(config)(nothing, lambda: False, nothing)
        self.calibration = find_calibration(self.fingerprint)

    def embed(self, samples):
        return self.encoder.embed([Waveform(np.ascontiguousarray(samples))])[0].values

    def gallery(self, enrolled):
        """What ``identify`` is of these people, each with samples."""
        prints, speech_s = [], []
        for recordings in enrolled.values():
            units = [unit(self.embed(samples)) for samples in recordings]
            prints.append(unit(np.sum(units, axis=0)))
            speech_s.append(sum(map(len, recordings)) / RATE_HZ)
        names = list(enrolled)

        def identify(voice, seconds):
            cosines = (np.array(prints) @ voice).astype(np.float64)
            found = decide_among(
                self.calibration, cosines, np.array(speech_s), float(seconds), OperatingPoint()
            )
            if found.best is None:
                return None
            name = names[found.best]
            place = found.best
            return Named(
                PersonName(name, name), float(found.llrs[place]), float(found.probabilities[place])
            )

        return identify

    def play(self, samples, identify):
        """The stream, what it told and when, and the seconds of the processor's time."""
        live = LiveDiarization(self.segmenter, self.detector)
        told, hop, before = [], RATE_HZ // 4, time.process_time()
        for start in range(0, len(samples), hop):
            began = time.process_time()
            live.append(samples[start : start + hop])
            is_end = start + hop >= len(samples)
            parts = [part for part in live.next_voices(is_end=is_end) if part is not None]
            vectors = [self.embed(part.waveform.samples) for part in parts]
            turns = live.heard(vectors, max_distance(self.fingerprint), identify)
            at_s = min(len(samples), start + hop) / RATE_HZ + time.process_time() - began
            told += [(at_s, turn) for turn in turns]
        told += [(len(samples) / RATE_HZ, turn) for turn in live.finish()]
        return live, told, time.process_time() - before

    def close(self, live):
        """The turns of hindsight, with their labels."""
        activity = live.activity
        local = local_speakers(activity.chunks, activity.embedded(live.embeddings))
        people = find_people(local, max_distance(self.fingerprint))
        if people is None:
            return []
        turns = spoken(turns_of(activity.chunks, people, activity.n_samples), activity.speech)
        labels = live.labels_of(people, turns)
        return [(turn.start_s, turn.end_s, labels[turn.person][0]) for turn in turns]


def unit(vector):
    return vector / np.linalg.norm(vector)


def speaking(stretches, names, n_frames):
    """For each name whether they speak, shape (n_names, n_frames)."""
    flags = np.zeros((len(names), n_frames), bool)
    for start_s, end_s, name in stretches:
        flags[names.index(name), round(start_s * FRAMES_PER_S) : round(end_s * FRAMES_PER_S)] = True
    return flags


def shown(told, end_s):
    """The stretches in which a turn was shown with a name: from its being told to the next time."""
    stretches, last = [], {}
    for at_s, turn in told:
        last.setdefault(turn.turn, []).append((at_s, turn))
    for one_turn in last.values():
        until_s = [at_s for at_s, _ in one_turn[1:]] + [end_s]
        stretches += [
            (since_s, to_s, turn.named.person.name)
            for (since_s, turn), to_s in zip(one_turn, until_s, strict=True)
            if turn.named is not None and turn.end_s is None
        ]
    return stretches


def shares(spoken_by, named, is_enrolled):
    """Right and wrong, of the enrolled people's speech, and named, of the others'."""
    extra = (named & ~spoken_by).any(axis=0)
    wrong = spoken_by & ~named & extra
    of_enrolled, of_others = spoken_by[is_enrolled].sum(), spoken_by[~is_enrolled].sum()
    return np.array(
        [
            (spoken_by & named)[is_enrolled].sum() / max(of_enrolled, 1),
            wrong[is_enrolled].sum() / max(of_enrolled, 1),
            wrong[~is_enrolled].sum() / max(of_others, 1),
        ]
    )


def waits(turns, named, names, enrolled):
    """For each longer turn of somebody enrolled how long it took to the right name, in seconds."""
    found = []
    for name in enrolled:
        joined = []
        for turn in (turn for turn in turns if turn.speaker == name):
            if joined and turn.start_s - joined[-1][1] < PAUSE_S:
                joined[-1] = joined[-1][0], max(turn.end_s, joined[-1][1])
            else:
                joined.append((turn.start_s, turn.end_s))
        for start_s, end_s in joined:
            if end_s - start_s >= LEAST_TURN_S:
                first, end = round(start_s * FRAMES_PER_S), round(end_s * FRAMES_PER_S)
                right = np.flatnonzero(named[names.index(name), first:end])
                found.append(right[0] / FRAMES_PER_S if len(right) else np.inf)
    return found


def der(turns, stretches, duration_s):
    return DiarizationErrorRate()(
        _annotation(turns), _annotation(stretches), uem=Timeline([Segment(0, duration_s)])
    )


def _annotation(stretches):
    annotation = Annotation()
    for number, (start_s, end_s, name) in enumerate(stretches):
        annotation[Segment(start_s, end_s), number] = name
    return annotation


def measure(player, dialogue):
    live, told, processor_s = player.play(dialogue.samples, player.gallery(dialogue.enrolled))
    turns = [(turn.start_s, turn.end_s, turn.speaker) for turn in dialogue.turns]
    names = sorted({name for _, _, name in turns})
    duration_s = len(dialogue.samples) / RATE_HZ
    n_frames = round((duration_s + 2) * FRAMES_PER_S)
    spoken_by = speaking(turns, names, n_frames)
    while_it_lasted = speaking(shown(told, duration_s), names, n_frames)
    finals = [turn for _, turn in told if turn.final and turn.label]
    in_the_end = speaking(
        [(turn.start_s, turn.end_s, turn.named.person.name) for turn in finals if turn.named],
        names,
        n_frames,
    )
    is_enrolled = np.array([name in dialogue.enrolled for name in names])
    waited_s = waits(dialogue.turns, while_it_lasted, names, dialogue.enrolled)
    right, wrong, _ = shares(spoken_by, while_it_lasted, is_enrolled)
    right_at_last, wrong_at_last, strangers = shares(spoken_by, in_the_end, is_enrolled)
    live_turns = [(turn.start_s, turn.end_s, turn.label) for turn in finals]
    closed = player.close(live)
    n_people = (
        len(names),
        len({name for *_, name in live_turns}),
        len({name for *_, name in closed}),
    )
    errors = [der(turns, found, duration_s) for found in (live_turns, closed)]
    median, late = (np.quantile(waited_s or [np.nan], p, method="lower") for p in (0.5, 0.95))
    print(
        f"| {dialogue.name} | {median:.2f} / {late:.2f} | {100 * right:.0f} | {100 * wrong:.1f} "
        f"| {100 * right_at_last:.0f} | {100 * wrong_at_last:.1f} | {100 * strangers:.1f} "
        f"| {100 * errors[0]:.1f} | {100 * errors[1]:.1f} "
        f"| {' / '.join(map(str, n_people))} | {1000 * processor_s / duration_s:.0f} ms |",
        flush=True,
    )
    return waited_s, (right, wrong, right_at_last, wrong_at_last)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="campplus-zh-en")
    player = Player(parser.parse_args().model)
    print(
        "| | first name | shown right | wrong | finally right | wrong | strangers | DER | close "
        "| people | cost |"
    )
    for played in (conversations(), dialogues(player.detector)):
        rows = [measure(player, dialogue) for dialogue in played]
        waited_s = np.concatenate([waited for waited, _ in rows])
        quantiles = np.quantile(waited_s, [0.5, 0.95], method="lower")
        means = 100 * np.mean([share for _, share in rows], axis=0)
        print(f"all: {len(waited_s)} turns, {quantiles.round(2)}; right, wrong: {means.round(1)}")


if __name__ == "__main__":
    main()
