"""Dialogues with references, and voices that are enrolled, for ``measure_live.py``."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from sidecar.speech.segments import find_segments
from sidecar.tools.recording import Turn, parse_rttm

AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"
RATE_HZ = 16_000
N_ENROLLED_WITH = 3
LEAST_COHORT_S, ENROLLED_OF_COHORT = 10, 6 * RATE_HZ
N_PAIRS, N_WITH_STRANGERS = 12, 8
# How long each enrolled person speaks alone at the start of a conversation, which is not measured.
ENROLLED_S = {"made-en-2": 15, "made-en-3": 15, "phone-2": 15, "talk-2": 4, "broadcast-4": 4}


@dataclass(frozen=True, eq=False)
class Dialogue:
    """Samples, who speaks when in them, and of whom there are samples to enrol them with."""

    name: str
    samples: np.ndarray
    turns: list[Turn]
    enrolled: dict[str, list[np.ndarray]]


def conversations(n_enrolled=2):
    """Recordings, with the two who say the most enrolled; and measured from where that ends."""
    for name, seconds in ENROLLED_S.items():
        samples = read(AUDIO / "conversations" / f"{name}.flac")
        turns = parse_rttm((AUDIO / "conversations" / f"{name}.rttm").read_text("utf-8"), name)
        spoken: defaultdict[str, float] = defaultdict(float)
        for turn in turns:
            spoken[turn.speaker] += turn.end_s - turn.start_s
        enrolled, start_s = {}, 0.0
        for who in sorted(spoken, key=lambda who: -spoken[who])[:n_enrolled]:
            taken, end_s = alone(turns, who, seconds)
            enrolled[who] = [np.concatenate([cut(samples, *piece) for piece in taken])]
            start_s = max(start_s, end_s)
        later = [
            Turn(max(0.0, turn.start_s - start_s), turn.end_s - start_s, turn.speaker)
            for turn in turns
            if turn.end_s > start_s + 0.1
        ]
        yield Dialogue(name, cut(samples, start_s, np.inf), later, enrolled)


def dialogues(detector):
    """Each two of the five of ``librispeech``, who talk with each other; see ``joined``."""
    folder = AUDIO / "librispeech"
    people = sorted(path.name for path in folder.iterdir() if path.is_dir())
    for number, pair in enumerate(itertools.combinations(people, 2)):
        utterances = {
            who: [read(path) for path in sorted((folder / who).glob("*"))] for who in pair
        }
        enrolled = {who: [one[: 10 * RATE_HZ] for one in utterances[who][:3]] for who in pair}
        spoken = {who: [one[: 15 * RATE_HZ] for one in utterances[who][3:9]] for who in pair}
        samples, turns = joined(spoken, detector, np.random.default_rng(number))
        yield Dialogue("-".join(pair), samples, turns, enrolled)


def cohort(detector, half):
    """Dialogues of one half of the people of ``cohort``: of pairs, and of pairs with a stranger.

    The pairs are enrolled with the first six seconds of the recording whose rest they speak.
    """
    recordings = [read(path) for path in sorted((AUDIO / "cohort").glob("*.flac"))]
    recordings = [one for one in recordings if len(one) >= LEAST_COHORT_S * RATE_HZ]
    left = np.random.default_rng(7).permutation(len(recordings))[half::2].tolist()
    found = [], []
    for number in range(N_PAIRS + N_WITH_STRANGERS):
        is_pair = number < N_PAIRS
        people, left = (left[:2], left[2:]) if is_pair else (left[:3], left[3:])
        spoken = {str(who): [recordings[who][ENROLLED_OF_COHORT:]] for who in people}
        enrolled = {str(who): [recordings[who][:ENROLLED_OF_COHORT]] for who in people[:2]}
        samples, turns = joined(spoken, detector, np.random.default_rng(number))
        name = f"cohort {half} {'-'.join(spoken)}"
        found[not is_pair].append(Dialogue(name, samples, turns, enrolled))
    return found


def joined(spoken, detector, rng):
    """Pieces of 1 to 6 s, cut where it is quiet, in turns: pauses of 0.1 to 0.9 s between them.

    Of three, who speaks next is chance. Every seventh interrupts the one before it. What is speech
    is what ``detector`` hears in each piece by itself.
    """
    left = {who: [piece for one in utterances for piece in pieces(one, rng)]
            for who, utterances in spoken.items()}  # fmt: skip
    at, last, put = RATE_HZ // 2, None, []
    while any(left.values()):
        others = [other for other in left if other != last and left[other]] or [last]
        who = others[0] if len(others) == 1 else others[rng.integers(len(others))]
        piece = left[who].pop(0)
        interrupts = last not in {None, who} and rng.random() < 1 / 7
        gap_s = -rng.uniform(0.2, 0.8) if interrupts else rng.uniform(0.1, 0.9)
        at = max(0, at + round(gap_s * RATE_HZ))
        put.append((at, piece, who))
        at, last = at + len(piece), who
    samples = 0.001 * rng.standard_normal(at + RATE_HZ).astype(np.float32)
    turns = []
    for start, piece, who in put:
        samples[start : start + len(piece)] += piece
        padded = np.pad(piece, RATE_HZ // 2)
        probabilities = detector.listen().feed(padded).tolist()
        for first, end in find_segments(probabilities, len(padded)):
            place_s = (start - RATE_HZ // 2) / RATE_HZ
            turns.append(Turn(place_s + first / RATE_HZ, place_s + end / RATE_HZ, who))
    return samples, sorted(turns, key=lambda turn: turn.start_s)


def pieces(samples, rng):
    """Of the same loudness all; each cut at the quietest place around a length by chance."""
    samples = 0.05 * samples / np.sqrt(np.mean(samples**2))
    level = np.convolve(np.abs(samples), np.ones(1600) / 1600, "same")
    start, found = 0, []
    while len(samples) - start > 0.8 * RATE_HZ:
        wanted = start + round(rng.uniform(1, 6) * RATE_HZ)
        around = level[wanted - RATE_HZ // 2 : wanted + RATE_HZ // 2]
        is_last = len(around) < RATE_HZ
        end = len(samples) if is_last else wanted - RATE_HZ // 2 + int(around.argmin())
        found.append(samples[start:end])
        start = end
    return found


def alone(turns, who, seconds):
    """The first stretches in which ``who`` speaks alone, so many seconds; and where they end."""
    found, left_s = [], float(seconds)
    for turn in turns:
        others = [one for one in turns if one.speaker != who]
        overlaps = any(o.start_s < turn.end_s and o.end_s > turn.start_s for o in others)
        if turn.speaker == who and not overlaps and left_s > 0.3:
            found.append((turn.start_s, min(turn.end_s, turn.start_s + left_s)))
            left_s -= found[-1][1] - found[-1][0]
    return found, found[-1][1]


def cut(samples, start_s, end_s):
    return samples[round(start_s * RATE_HZ) : round(min(end_s * RATE_HZ, len(samples)))]


def read(path):
    return soundfile.read(path, dtype="float32")[0]
