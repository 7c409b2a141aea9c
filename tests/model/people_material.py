"""Pieces of real speech with their speakers, embedded: what calibrations are fitted and judged on.

``python tests/model/people_material.py --detector FILE --out DIR`` makes them of
``../shared/audio`` and embeds them with the engine that serves: in DIR a file for each model and
corpus, unless it is there already. FILE is Silero's ``silero_vad_16k_sequence.onnx``: of everything
but the kinds ``raw`` only the speech counts, joined as with ``speech: auto``.

A *unit* is what one person says in one recording without anybody else. It is cut into pieces of
each duration, up to three that do not overlap, and once more after a simulated other microphone:
colouring, a room, noise, sometimes a telephone's band. The same unit always gets the same one.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.tools.recording import parse_rttm

AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"
MODELS = ("campplus-zh-en", "ecapa-voxceleb")
CORPORA = ("cohort", "librispeech", "conversations")
RATE_HZ = 16_000
DURATIONS_S = (0.5, 1, 2, 3, 5, 10)
N_PIECES = 3
MIN_SPEECH_S = 0.5
# The detector: one step, what it sees before it, and how its probabilities become speech.
STEP, CONTEXT = 512, 64
SPEECH_FROM, MIN_GAP_STEPS, PAD_STEPS = 0.5, 4, 1


@dataclass(frozen=True, eq=False)
class Unit:
    """What one person says in one recording, shape (n_samples,), and where somebody speaks."""

    corpus: str
    speaker: str
    recording: str
    samples: np.ndarray
    is_speech: np.ndarray


@dataclass
class Pieces:
    """A row for each piece; ``start_s`` and ``speech_s`` in the unit's joined speech."""

    columns: dict[str, list] = field(default_factory=dict)

    def add(self, **row):
        for name, value in row.items():
            self.columns.setdefault(name, []).append(value)


def detect(session, samples):
    """Whether somebody speaks, for each sample."""
    n_steps = -(-len(samples) // STEP)
    padded = np.zeros(CONTEXT + n_steps * STEP, np.float32)
    padded[CONTEXT : CONTEXT + len(samples)] = samples
    views = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + STEP)[::STEP]
    state = np.zeros((1, 1, 128), np.float32)
    feed = {"input": np.ascontiguousarray(views), "h": state, "c": state}
    speaks = session.run(["speech_probs"], feed)[0].ravel() >= SPEECH_FROM
    edges = np.flatnonzero(np.diff(np.concatenate([[0], speaks, [0]])))
    for end, start in zip(edges[1:-1:2], edges[2::2], strict=True):
        if start - end < MIN_GAP_STEPS:
            speaks[end:start] = True
    padded_speech = np.convolve(speaks, np.ones(2 * PAD_STEPS + 1), "same") > 0
    return np.repeat(padded_speech, STEP)[: len(samples)]


def read(path):
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32)


def units(corpus, session) -> Iterator[Unit]:
    for path in sorted((AUDIO / corpus).rglob("*.flac")):
        if path.name.startswith("made-en"):  # those are the people of librispeech
            continue
        if corpus == "conversations":
            yield from _units_of_conversation(session, path)
            continue
        samples, speaker = read(path), path.stem.split("-")[0]
        yield Unit(corpus, speaker, path.stem, samples, detect(session, samples))


def _units_of_conversation(session, path):
    """Each speaker's turns, joined, but for what overlaps somebody else's."""
    samples = read(path)
    is_speech = detect(session, samples)
    turns = parse_rttm(path.with_suffix(".rttm").read_text("utf-8"), path.stem)
    spoken = {turn.speaker: np.zeros(len(samples), bool) for turn in turns}
    for turn in turns:
        spoken[turn.speaker][round(turn.start_s * RATE_HZ) : round(turn.end_s * RATE_HZ)] = True
    n_at_once = np.sum(list(spoken.values()), axis=0)
    for name, speaks in spoken.items():
        alone = speaks & (n_at_once == 1)
        # In the meetings' references people have the same name in all recordings.
        speaker = name if path.name.startswith("meeting") else f"{path.stem}-{name}"
        yield Unit("conversations", speaker, path.stem, samples[alone], is_speech[alone])


def other_microphone(samples, name, noises):
    """``samples`` as another microphone in another room might have taken them."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    n = len(samples)
    # A room: exponentially decaying noise behind the direct sound (Polack's model).
    decay_s = rng.uniform(0.15, 0.5)
    time_s = np.arange(round(1.2 * decay_s * RATE_HZ)) / RATE_HZ
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail *= 10 ** (-rng.uniform(3, 15) / 20) / np.linalg.norm(tail)
    tail[0] += 1.0
    # A colour: a smooth curve of a few dB over the octaves.
    size = 1 << int(np.ceil(np.log2(n + len(tail))))
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    octaves = np.log2(np.maximum(hz, 31.25) / 31.25)
    gains_db = np.interp(octaves, np.arange(9), rng.normal(0, 4, 9))
    if rng.random() < 0.25:
        gains_db = gains_db - 40 * ((hz < 300) | (hz > 3400))
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(tail, size) * 10 ** (gains_db / 20)
    made = np.fft.irfft(spectrum, size)[:n]
    noise = noises[rng.integers(len(noises))] if rng.random() < 0.5 else rng.standard_normal(n)
    noise = np.resize(np.roll(noise, rng.integers(len(noise))), n)
    level = np.sqrt(np.mean(made**2)) * 10 ** (-rng.uniform(10, 30) / 20)
    made = made + level * noise / max(1e-9, np.sqrt(np.mean(noise**2)))
    return (0.1 * made / np.sqrt(np.mean(made**2))).astype(np.float32)


def open_encoder(model):
    engine = SpeechEngine(Config(model=model, threads=1))
    engine.import_libraries()
    return engine.open(lambda _: None, lambda: False)


def embed_all(encoder, corpus, session) -> Pieces:
    noises = [read(path) for path in sorted((AUDIO / "speech_or_not").glob("noise-*.flac"))]
    pieces = Pieces()

    def add(unit, kind, samples, start_s, speech_s):
        values = encoder.embed([Waveform(np.ascontiguousarray(samples))])[0].values
        unit_vector = (values / np.linalg.norm(values)).astype(np.float32)
        place = {"start_s": start_s, "speech_s": speech_s, "embedding": unit_vector}
        names = {"corpus": unit.corpus, "speaker": unit.speaker, "recording": unit.recording}
        pieces.add(**names, kind=kind, **place)

    for unit in units(corpus, session):
        speech_s = unit.is_speech.sum() / RATE_HZ
        if speech_s < MIN_SPEECH_S:
            continue
        if unit.corpus != "conversations":
            _add_raw(unit, add)
        clean = unit.samples[unit.is_speech]
        altered = other_microphone(clean, f"{unit.recording}-{unit.speaker}", noises)
        for kind, samples in (("clean", clean), ("other", altered)):
            add(unit, kind, samples, 0.0, speech_s)
            for duration_s in DURATIONS_S:
                n_fit = min(N_PIECES, int(speech_s / duration_s))
                for start_s in np.linspace(0, speech_s - duration_s, n_fit) if n_fit else ():
                    start = int(start_s * RATE_HZ)
                    piece = samples[start : start + round(duration_s * RATE_HZ)]
                    add(unit, kind, piece, start_s, duration_s)
        print(f"{unit.corpus} {unit.recording} {unit.speaker}: {speech_s:.1f} s", flush=True)
    return pieces


def _add_raw(unit, add):
    """The whole recording and its middle, whoever is silent in it."""
    for duration_s in (1, 3, None):
        n = len(unit.samples) if duration_s is None else duration_s * RATE_HZ
        start = max(0, (len(unit.samples) - n) // 2)
        place = slice(start, start + n)
        kind = f"raw-{duration_s or 'whole'}"
        speech_s = float(unit.is_speech[place].sum() / RATE_HZ)
        add(unit, kind, unit.samples[place], start / RATE_HZ, speech_s)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    session = onnxruntime.InferenceSession(str(options.detector))
    options.out.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        encoder = open_encoder(model)
        for corpus in CORPORA:
            out = options.out / f"{model}-{corpus}.npz"
            if not out.exists():
                pieces = embed_all(encoder, corpus, session)
                arrays = {name: np.array(column) for name, column in pieces.columns.items()}
                np.savez(out, fingerprint=encoder.model.fingerprint, **arrays)


if __name__ == "__main__":
    main()
