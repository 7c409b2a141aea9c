"""Makes conversations of many people whose voices are known: ``make_mixes.py DIR``.

In DIR, a FLAC and its RTTM each, for ``speaker-sidecar evaluate --rttm DIR/*.rttm``:

- ``cohort-N-R``: N people of ``../shared/audio/cohort``, cut at their pauses into pieces of 2 to 5
  seconds, in any order; in every second one, four people talk with each other at a time. They are
  of different loudness, one piece in ten begins before the last one ends, and there is noise.
  Where R is 3, as on a telephone.
- ``libri-N``: the same with N of ``../shared/audio/librispeech``.
- ``joined-...``: recordings of ``../shared/audio/conversations`` one behind the other. Four people
  of the meetings are in several of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sidecar.tools.recording import Turn, parse_rttm

AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"
RATE_HZ = 16_000
# How many people, and how many such conversations.
COHORT = {2: 4, 4: 4, 8: 3, 16: 2, 24: 2, 40: 2, 80: 1}
LIBRISPEECH = (2, 3, 5)
JOINED = (6, 6, 10, 10)
LEVEL, LOUDNESS_DB, LEAST_LEVEL = 0.05, 4, 0.004


def read(path):
    return soundfile.read(path, dtype="float32")[0]


def level(samples, width):
    return np.convolve(np.abs(samples), np.ones(width) / width, "same")


def cut(samples, rng):
    """Pieces of it, cut where it is quiet; what is left at the end is dropped."""
    levels, start, pieces = level(samples, 1600), 0, []
    while len(samples) - start > 2 * RATE_HZ:
        wanted = start + rng.uniform(1.5, 5.5) * RATE_HZ
        first, last = int(wanted - 0.5 * RATE_HZ), int(wanted + 0.5 * RATE_HZ)
        is_end = last >= len(samples) - RATE_HZ
        end = len(samples) if is_end else first + int(levels[first:last].argmin())
        pieces.append(trimmed(samples[start:end]))
        start = end
    return pieces


def trimmed(samples):
    loud = np.flatnonzero(level(samples, 800) > LEAST_LEVEL)
    return samples[loud[0] : loud[-1]] if len(loud) else samples


def mix(paths, rng, together=None, noise=0.0008):
    """A conversation of ``paths``' speakers, ``together`` at a time, and its turns."""
    pieces = {}
    for path in paths:
        samples = read(path)
        samples = samples / np.sqrt((samples**2).mean())
        samples = samples * LEVEL * 10 ** (rng.uniform(-LOUDNESS_DB, LOUDNESS_DB) / 20)
        pieces.setdefault(path.name.split("-")[0], []).extend(cut(samples, rng))
    names = list(pieces)
    rng.shuffle(names)
    order = []
    for start in range(0, len(names), together or len(names)):
        group = names[start : start + (together or len(names))]
        told = [(name, number) for name in group for number in range(len(pieces[name]))]
        rng.shuffle(told)
        order += told
    end, turns, last = RATE_HZ // 2, [], None
    placed = []
    for name, number in order:
        piece, gap_s = pieces[name][int(number)], rng.uniform(0.15, 0.9)
        if rng.random() < 0.1 and last not in (None, name):
            gap_s = -rng.uniform(0.3, 1.0)
        start = max(0, int(end + gap_s * RATE_HZ))
        end, last = start + len(piece), name
        placed.append((start, piece))
        turns.append(Turn(start / RATE_HZ, end / RATE_HZ, name))
    samples = np.zeros(end + RATE_HZ // 2, np.float32)
    for start, piece in placed:
        samples[start : start + len(piece)] += piece
    return samples + noise * rng.standard_normal(len(samples)).astype(np.float32), turns


def as_on_a_telephone(samples):
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    spectrum = np.fft.rfft(samples) * ((frequency > 300) & (frequency < 3400))
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def join(names):
    parts, turns, start_s = [], [], 0.0
    for name in names:
        path = AUDIO / "conversations" / f"{name}.flac"
        parts.append(read(path))
        for turn in parse_rttm(path.with_suffix(".rttm").read_text("utf-8"), name):
            # In the meetings a name is a person's, and in one of them has an accent.
            room = "meeting" if name.startswith("meeting") else name
            speaker = f"{room}/{turn.speaker}".replace("\u00c9", "E")
            turns.append(Turn(start_s + turn.start_s, start_s + turn.end_s, speaker))
        start_s += len(parts[-1]) / RATE_HZ
    return np.concatenate(parts), turns


def made():
    """Each one's name, samples and turns."""
    cohort = sorted((AUDIO / "cohort").glob("*.flac"))
    for n_people, n_times in COHORT.items():
        for number in range(n_times):
            rng = np.random.default_rng(1000 * n_people + number)
            paths = rng.choice(cohort, n_people, replace=False)
            together = 4 if number % 2 and n_people > 4 else None
            samples, turns = mix(paths, rng, together, 0.002 if number % 2 else 0.0005)
            if number == 3:
                samples = as_on_a_telephone(samples)
            yield f"cohort-{n_people}-{number}", samples, turns
    readers = sorted((AUDIO / "librispeech").glob("*/"))
    for n_people in LIBRISPEECH:
        rng = np.random.default_rng(n_people)
        chosen = sorted(rng.choice(len(readers), n_people, replace=False))
        paths = [path for number in chosen for path in sorted(readers[number].glob("*.flac"))]
        yield f"libri-{n_people}", *mix(paths, rng)
    recordings = sorted(path.stem for path in (AUDIO / "conversations").glob("*.flac"))
    yield "joined-all", *join(recordings)
    for number, n_recordings in enumerate(JOINED):
        rng = np.random.default_rng(number)
        yield (
            f"joined-{n_recordings}-{number}",
            *join(rng.choice(recordings, n_recordings, replace=False)),
        )


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples, turns in made():
        soundfile.write(folder / f"{name}.flac", samples, RATE_HZ)
        lines = (
            f"SPEAKER {name} 1 {turn.start_s:.3f} {turn.duration_s:.3f} <NA> <NA> {turn.speaker} "
            "<NA> <NA>\n"
            for turn in turns
        )
        (folder / f"{name}.rttm").write_text("".join(lines), "utf-8")
        people = len({turn.speaker for turn in turns})
        print(f"{name}: {len(samples) / RATE_HZ:.0f} s, {people} people")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
