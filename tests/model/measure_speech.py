"""How well speech is told from all else, beside what others tell: prints two tables.

    python tests/model/measure_speech.py

The labelled recordings and the noise are those of ``../shared/audio/speech_or_not``, what else is
no speech is made by formulas (``no_speech.py``). Beside this project's own: the package silero-vad,
ten-vad and webrtcvad, as far as they are installed, each as it comes.
"""

from __future__ import annotations

import csv
import functools
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.no_speech import made

from sidecar.speech.detector import SpeechDetector
from sidecar.speech.segments import STEP_SAMPLES, find_segments
from sidecar.store.catalog import SPEECH_DETECTOR
from sidecar.store.weights import WeightStore, default_models_dir

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "audio" / "speech_or_not"
RATE_HZ = 16_000
FRAME_SAMPLES = 160


@functools.cache
def detector():
    [network] = WeightStore(default_models_dir()).ensure(SPEECH_DETECTOR).values()
    return SpeechDetector(network)


def ours(samples):
    listening, piece = detector().listen(), 8 * RATE_HZ
    pieces = [samples[start : start + piece] for start in range(0, len(samples), piece)]
    probabilities = [listening.feed(one) for one in pieces]
    probabilities = np.concatenate([*probabilities, listening.finish()])
    return find_segments(probabilities.tolist(), len(samples)), probabilities, STEP_SAMPLES


def silero_package(samples):
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    model = _kept(load_silero_vad)
    found = get_speech_timestamps(torch.from_numpy(samples), model)
    probabilities = model.audio_forward(torch.from_numpy(samples)[None], RATE_HZ)[0].numpy()
    return [(one["start"], one["end"]) for one in found], probabilities, STEP_SAMPLES


def ten_vad(samples):
    from ten_vad import TenVad

    vad, hop = TenVad(256, 0.5), 256
    integers = np.clip(32_768 * samples, -32_768, 32_767).astype(np.int16)
    judged = [vad.process(integers[at : at + hop]) for at in range(0, len(integers) - hop + 1, hop)]
    probabilities = np.array([probability for probability, _ in judged])
    return _runs(np.array([is_speech == 1 for _, is_speech in judged]), hop), probabilities, hop


def webrtcvad(samples):
    import webrtcvad as webrtc

    vad, hop = webrtc.Vad(2), 480
    integers = np.clip(32_768 * samples, -32_768, 32_767).astype("<i2")
    is_speech = np.array(
        [
            vad.is_speech(integers[at : at + hop].tobytes(), RATE_HZ)
            for at in range(0, len(integers) - hop + 1, hop)
        ]
    )
    return _runs(is_speech, hop), None, hop


CONTENDERS = {
    "this project": ours,
    "silero-vad": silero_package,
    "ten-vad": ten_vad,
    "webrtcvad (2)": webrtcvad,
}


@functools.cache
def _kept(load):
    return load()


def _runs(is_speech, hop):
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_speech.astype(int), [0])))) * hop
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def frames_of(segments, n_samples):
    """For each frame of 10 ms whether its middle is in a segment."""
    is_speech = np.zeros(n_samples // FRAME_SAMPLES, bool)
    for start, end in segments:
        half = FRAME_SAMPLES // 2
        is_speech[(start + half) // FRAME_SAMPLES : (end + half) // FRAME_SAMPLES] = True
    return is_speech


def labelled():
    """Each recording's samples, and for each of its frames whether people say it is speech."""
    for path in sorted(FOLDER.glob("labelled-*.flac")):
        samples = read(path)
        rows = csv.DictReader(path.with_suffix(".csv").read_text("utf-8").splitlines())
        spoken = [
            (round(float(r["start_s"]) * RATE_HZ), round(float(r["end_s"]) * RATE_HZ))
            for r in rows
            if r["is_speech"] == "1"
        ]
        yield path.stem, samples, frames_of(spoken, len(samples))


def read(path):
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ, path
    return samples if samples.ndim == 1 else np.ascontiguousarray(samples.mean(axis=1))


def area_under_curve(scores, is_speech):
    """How often a frame of speech is more probable than one of none."""
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable") + 1.0
    n_speech = is_speech.sum()
    above = order[is_speech].sum() - n_speech * (n_speech + 1) / 2
    return above / (n_speech * (~is_speech).sum())


def accuracy_of(detect, recordings):
    """Right frames, precision, recall, F1, area under the curve, each 0 to 1; seconds per 10 s."""
    found, wanted, scores, work_s, audio_s = [], [], [], 0.0, 0.0
    for _, samples, is_speech in recordings:
        began_at = time.process_time()
        segments, probabilities, hop = detect(samples)
        work_s += time.process_time() - began_at
        audio_s += len(samples) / RATE_HZ
        found.append(frames_of(segments, len(samples)))
        wanted.append(is_speech)
        if probabilities is not None:
            at = (np.arange(len(is_speech)) * FRAME_SAMPLES + FRAME_SAMPLES // 2) // hop
            scores.append(np.asarray(probabilities)[np.minimum(at, len(probabilities) - 1)])
    found, wanted = np.concatenate(found), np.concatenate(wanted)
    precision = (found & wanted).sum() / max(1, found.sum())
    recall = (found & wanted).sum() / wanted.sum()
    area = area_under_curve(np.concatenate(scores), wanted) if scores else None
    f1 = 2 * precision * recall / (precision + recall)
    return (found == wanted).mean(), precision, recall, f1, area, 10 * work_s / audio_s


def main():
    recordings = list(labelled())
    n_frames = sum(len(is_speech) for _, _, is_speech in recordings)
    share = sum(is_speech.sum() for _, _, is_speech in recordings) / n_frames
    print(f"{len(recordings)} recordings, {n_frames / 100:.0f} s, {share:.1%} of it speech")
    print(f"{'':15}  right  precision  recall  F1     AUC    ms for 10 s")
    contenders = {}
    for name, detect in CONTENDERS.items():
        try:
            detect(recordings[0][1])  # loads
        except (ImportError, OSError) as error:
            print(f"{name:15}  {error}")
            continue
        contenders[name] = detect
        *shares, area, cost_s = accuracy_of(detect, recordings)
        told = "  ".join(f"{100 * one:4.1f} %" for one in (*shares, *([area] if area else [])))
        print(f"{name:15}  {told}{'' if area else '       '}  {1000 * cost_s:6.1f}")
    nothing = {path.stem: read(path) for path in sorted(FOLDER.glob("noise-*.flac"))}
    nothing |= made()
    print("\nseconds of speech found where nobody speaks")
    print(f"{'':24}{'lasts':>7}" + "".join(f"{name:>15}" for name in contenders))
    totals = dict.fromkeys(contenders, 0.0)
    for what, samples in nothing.items():
        line = f"{what:24}{len(samples) / RATE_HZ:7.1f}"
        for name, detect in contenders.items():
            found_s = sum(end - start for start, end in detect(samples)[0]) / RATE_HZ
            totals[name] += found_s
            line += f"{found_s:15.2f}"
        print(line)
    lasts_s = sum(map(len, nothing.values())) / RATE_HZ
    print(f"{'in all':24}{lasts_s:7.1f}" + "".join(f"{s:15.2f}" for s in totals.values()))


if __name__ == "__main__":
    main()
