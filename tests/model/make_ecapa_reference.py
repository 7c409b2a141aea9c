"""Writes ``ecapa_voxceleb.npz``: SpeechBrain's own embeddings of fifty utterances of real speech.

Run it once, where SpeechBrain can be imported and the speech lies beside the project; the tests
compare with what it wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

from sidecar.networks.speechbrain_parity import speechbrain_encoder
from sidecar.store.catalog import MODELS
from sidecar.store.weights import WeightStore, default_models_dir

REFERENCE = Path(__file__).with_name("ecapa_voxceleb.npz")


def main(speech: Path) -> None:
    """Embed every utterance below ``speech``, each as SpeechBrain does by default."""
    card = MODELS["ecapa-voxceleb"]
    weights = WeightStore(default_models_dir()).ensure(card)[card.files[0].name]
    encoder = speechbrain_encoder(weights.parent)
    paths = sorted(speech.rglob("*.flac"))
    waveforms = [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in paths]
    with torch.inference_mode():
        embeddings = [encoder.encode_batch(waveform[None])[0, 0].numpy() for waveform in waveforms]
    names = [path.relative_to(speech).as_posix() for path in paths]
    np.savez_compressed(REFERENCE, names=names, embeddings=np.stack(embeddings))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
