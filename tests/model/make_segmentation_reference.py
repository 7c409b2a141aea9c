"""Keeps what pyannote.audio's own segmentation network hears, for ``test_segmentation``.

    python tests/model/make_segmentation_reference.py INTERVIEW.flac CHECKPOINT.pt

It needs pyannote.audio 4 and soundfile. The recording is conversations/interview-2.flac of the real
speech; the checkpoint is what the catalog fetches.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet

CHUNK_SAMPLES, STARTS = 160_000, (0, 64_000, 160_000)
EVERY = 10


def main(recording: str, checkpoint: str) -> None:
    """Write the file beside this one."""
    layers = {"hidden_size": 128, "num_layers": 4, "bidirectional": True, "monolithic": True}
    network = PyanNet(sincnet={"stride": 10}, lstm=layers)
    network.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["a", "b", "c"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    network.build()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    # In float64: in float32 its filters alone are wrong by 4e-6, and its probabilities by 1e-4.
    network.double().eval()
    samples, _ = soundfile.read(recording, dtype="float32")
    chunks = torch.from_numpy(np.stack([samples[s : s + CHUNK_SAMPLES] for s in STARTS])).double()
    with torch.inference_mode():
        probabilities = network(chunks[:, None]).exp().float().numpy()[:, ::EVERY]
    place = Path(__file__).with_name("segmentation_reference.npz")
    np.savez_compressed(place, probabilities=probabilities, every=EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
