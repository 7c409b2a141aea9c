"""Prints what poor audio costs: ``python tests/model/measure_quality.py [MODEL] [SECONDS]``.

Of the 50 utterances of 5 speakers in ``../shared/audio/librispeech`` the middle SECONDS (default 2;
0: all) are made worse, one way after the other. Then each is compared with the 49 others as they
were ("one side", 2,450 pairs), and with the others made worse too ("both", 1,225 pairs). For each:
the EER; the mean cosine of one speaker's pairs and of two speakers'; and, with the threshold that
accepts 1 % of strangers where nothing was made worse, the shares of one speaker's pairs that are
refused and of strangers' that are accepted. Behind that, what ``sidecar.speech.quality`` measures
(medians), and how many it flags. At last, how much speech it takes: so much of it against all of an
utterance, and against as much, with the threshold of whole utterances.

Embeddings are kept in the folder for temporary files under the names of what was done; delete them
there when that changes.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.degradations import SAMPLE_RATE_HZ, STEP_SAMPLES, degradations, speaking

from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.speech.quality import measure

AUDIO = Path(__file__).resolve().parents[2].parent / "shared" / "audio"
CACHE = Path(tempfile.gettempdir()) / "measure_quality"
AMOUNTS_S = (0.5, 1, 1.5, 2, 3, 5)
HEADING = (
    f"{'':27} {'one side':>8}{'':31} {'both':>8}\n"
    f"{'':27}" + 2 * "    EER   same others refused accept " + "   dBFS    dB  clip    Hz  flags"
)


class Voices:
    """The 50 utterances, and what a model makes of them."""

    def __init__(self, model):
        engine = SpeechEngine(Config(model=model, device="cpu", offline=True, threads=1))
        engine.find_model()
        self._encoder = engine.open(lambda progress: None, lambda: False)
        paths = sorted((AUDIO / "librispeech").rglob("*.flac"))
        assert len(paths) == 50
        self.utterances = [soundfile.read(path, dtype="float32")[0] for path in paths]
        self.speakers = np.array([path.parent.name for path in paths])

    def unit(self, waveforms, name):
        """Their embeddings, of length 1; ``name`` tells them from all others."""
        kept = CACHE / f"{self._encoder.model.fingerprint} {name}.npy"
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            embeddings = [self._encoder.embed([Waveform(w)])[0].values for w in waveforms]
            np.save(kept, np.stack(embeddings))
        embeddings = np.load(kept)
        return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)

    def pairs(self, first, second):
        """The cosines of one speaker's pairs, and of two speakers'."""
        is_pair = ~np.eye(len(first), dtype=bool)
        is_same = self.speakers[:, None] == self.speakers
        cosines = first @ second.T
        return cosines[is_pair & is_same], cosines[~is_same]


def equal_error_rate(same, others):
    thresholds = np.sort(np.concatenate([same, others]))
    refused = np.searchsorted(np.sort(same), thresholds) / len(same)
    accepted = 1 - np.searchsorted(np.sort(others), thresholds) / len(others)
    nearest = np.argmin(np.abs(refused - accepted))
    return (refused[nearest] + accepted[nearest]) / 2


def middle(utterance, seconds):
    n = round(seconds * SAMPLE_RATE_HZ)
    start = max(0, (len(utterance) - n) // 2)
    return utterance[start : start + n] if n else utterance


def costs(pairs, threshold):
    same, others = pairs
    return (
        f"{100 * equal_error_rate(same, others):6.2f}% {same.mean():5.2f} {others.mean():6.2f} "
        f"{100 * (same < threshold).mean():6.1f}% {100 * (others >= threshold).mean():5.1f}% "
    )


def measured(waveforms, clean):
    """Medians, and the flags with how many have them."""
    found = [
        measure(waveform, speaking(before), None, speech_s=None)
        for waveform, before in zip(waveforms, clean, strict=True)
    ]
    columns = []
    for attribute, form in (
        ("level_dbfs", "6.1f"),
        ("snr_db", "5.1f"),
        ("clipped_share", "5.3f"),
        ("bandwidth_hz", "5.0f"),
    ):
        known = [getattr(q, attribute) for q in found if getattr(q, attribute) is not None]
        columns.append(format(np.median(known), form) if known else "-".rjust(int(form[0])))
    flags = [flag for quality in found for flag in quality.flags]
    counted = [f"{flag} {flags.count(flag)}" for flag in dict.fromkeys(flags)]
    return f" {' '.join(columns)}  {', '.join(counted)}"


def as_float32(samples):
    return np.ascontiguousarray(samples, np.float32)


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else "campplus-zh-en"
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    voices = Voices(model)
    clean = [middle(utterance, seconds) for utterance in voices.utterances]
    unit = voices.unit(clean, f"{seconds} s")
    as_it_is = voices.pairs(unit, unit)
    threshold = np.percentile(as_it_is[1], 99)
    print(f"{model}, the middle {seconds:g} s" if seconds else f"{model}, all of each utterance")
    print(HEADING)
    print(f"{'as it is':27}{costs(as_it_is, threshold)}{'':40}{measured(clean, clean)}")
    for name, degrade in degradations(AUDIO).items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        worse = [as_float32(degrade(speech, rng)) for speech in clean]
        worse_unit = voices.unit(worse, f"{seconds} s {name}")
        one, both = voices.pairs(worse_unit, unit), voices.pairs(worse_unit, worse_unit)
        print(
            f"{name:27}{costs(one, threshold)}{costs(both, threshold)}{measured(worse, clean)}",
            flush=True,
        )
    print_amounts(voices)


def print_amounts(voices):
    whole = voices.unit(voices.utterances, "0.0 s")
    threshold = np.percentile(voices.pairs(whole, whole)[1], 99)
    for amount_s in AMOUNTS_S:
        parts = [middle(joined_speech(utterance), amount_s) for utterance in voices.utterances]
        part = voices.unit(parts, f"{amount_s} s of speech")
        one, both = voices.pairs(part, whole), voices.pairs(part, part)
        name = f"{amount_s} s of speech"
        print(f"{name:27}{costs(one, threshold)}{costs(both, threshold)}", flush=True)


def joined_speech(utterance):
    steps = np.resize(utterance, (len(utterance) // STEP_SAMPLES, STEP_SAMPLES))
    return np.ravel(steps[speaking(utterance)])


if __name__ == "__main__":
    main()
