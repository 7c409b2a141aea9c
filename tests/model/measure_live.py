"""Prints how soon, and how rightly, it is said who speaks: ``python tests/model/measure_live.py``.

A row for each dialogue with two enrolled people (see ``live_material.py``), and one for each set of
them: conversations, pairs of LibriSpeech, and of ``cohort`` pairs, and pairs with a stranger; each
in two halves, the first of which served to choose numbers. Each is played in pieces of a quarter of
a second:

- from the beginning of a turn of 1.5 s or more to the right name: median, and the 95th percentile
  (a turn that never got it counts as endless), computing included;
- of the enrolled people's speech, how much had the right name and how much a wrong one, while it
  lasted ("shown": no name at all is the rest), and by the final turns;
- of the others', how much had a name, likewise;
- DER without a collar, of the final turns and at the close, and the people of both;
- for each second of the stream: runs of the segmentation network, seconds of speech that were
  embedded (both with what the close needs), and processor time.

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

from live_material import RATE_HZ, cohort, conversations, dialogues
from people_material import open_encoder

from protocol.gallery_reports import PersonName
from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.diarization import opening
from sidecar.diarization.hindsight import who_spoke_when
from sidecar.diarization.live import LiveDiarization, Named
from sidecar.diarization.speakers import max_distance
from sidecar.scores.calibration import find_calibration
from sidecar.scores.decision import OperatingPoint, decide_among
from sidecar.speech import opening as speech_opening

FRAMES_PER_S = 100
LEAST_TURN_S, PAUSE_S = 1.5, 0.5
# Of less speech the gallery names nobody.
LEAST_NAMED_S = 0.5
HALVES = [f"{kind} {half}" for kind in ("librispeech", "cohort", "strangers") for half in (0, 1)]
SETS = ["conversations", *HALVES]
# Of each dialogue: what is summed up of a set, in the order of the table.
MEANS = "{:.0f} | {:.1f} | {:.0f} | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {:.1f}"


class Counted:
    """The segmentation network, and how often it was asked."""

    def __init__(self, segmenter):
        self.segmenter, self.n_heard = segmenter, 0

    def hear(self, chunk):
        self.n_heard += 1
        return self.segmenter.hear(chunk)


class Player:
    """Plays dialogues into streams."""

    def __init__(self, model):
        config, nothing = Config(model=model, threads=1), lambda *_: None
        self.encoder = open_encoder(model)
        self.fingerprint = self.encoder.model.fingerprint
        self.detector = speech_opening.from_store(config)(nothing, lambda: False, nothing)
        self.segmenter = Counted(opening.from_store(config)(nothing, lambda: False, nothing))
        self.embedded_s = 0.0
        self.calibration = find_calibration(self.fingerprint)

    def embed(self, samples):
        self.embedded_s += len(samples) / RATE_HZ
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
            if seconds < LEAST_NAMED_S:
                return None
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
        """The stream, what it told and when; and for each second of it what it cost."""
        live = LiveDiarization(self.segmenter, self.detector)
        self.segmenter.n_heard, self.embedded_s = 0, 0.0
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
        costs = self.segmenter.n_heard, self.embedded_s, 1000 * (time.process_time() - before)
        return live, told, np.array(costs) * RATE_HZ / len(samples)

    def close(self, live):
        """The turns of hindsight, with their labels."""
        found = who_spoke_when(live.activity, live.embeddings, self.fingerprint)
        if found is None:
            return []
        people, turns = found
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
    """Prints a row; the waits, and the numbers of the row of which a set has the means."""
    live, told, costs = player.play(dialogue.samples, player.gallery(dialogue.enrolled))
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
    right, wrong, strangers = shares(spoken_by, while_it_lasted, is_enrolled)
    finally_named = shares(spoken_by, in_the_end, is_enrolled)
    live_turns = [(turn.start_s, turn.end_s, turn.label) for turn in finals]
    closed = player.close(live)
    n_people = [
        len({name for *_, name in told_turns}) for told_turns in (turns, live_turns, closed)
    ]
    errors = [der(turns, found, duration_s) for found in (live_turns, closed)]
    numbers = np.array(
        [*(100 * np.array([right, wrong, *finally_named, strangers, *errors])), *costs]
    )
    print(row(dialogue.name, waited_s, numbers, " / ".join(map(str, n_people))), flush=True)
    return waited_s, numbers


def row(name, waited_s, numbers, people=""):
    median, late = (np.quantile(waited_s or [np.nan], p, method="lower") for p in (0.5, 0.95))
    heard, embedded_s, processor_ms = numbers[8:]
    return (
        f"| {name} | {len(waited_s)} | {median:.2f} / {late:.2f} | {MEANS.format(*numbers[:8])} "
        f"| {people} | {heard:.2f} | {embedded_s:.1f} s | {processor_ms:.0f} ms |"
    )


def dialogues_of(name, detector):
    kind, _, half = name.rpartition(" ")
    if kind == "librispeech":
        return list(dialogues(detector))[int(half) :: 2]
    if kind:
        pairs, with_strangers = cohort(detector, int(half))
        return pairs if kind == "cohort" else with_strangers
    return conversations()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="campplus-zh-en")
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)
    options = parser.parse_args()
    player = Player(options.model)
    print(
        "| | turns | first name | shown right | wrong | finally right | wrong | strangers "
        "| strangers shown | DER | close | people | heard | embedded | cost |"
    )
    summary = []
    for name in options.sets:
        rows = [measure(player, dialogue) for dialogue in dialogues_of(name, player.detector)]
        waited_s = [wait for waited, _ in rows for wait in waited]
        means = np.mean([numbers for _, numbers in rows], axis=0)
        summary.append(row(f"**{name}**", waited_s, means))
    print("\n".join(summary))


if __name__ == "__main__":
    main()
