"""The real server, decoder, encoder and torch runtime, with a small network that needs no fetching.

``--model DIR`` is where its seeded weights lie; where there are none, it makes them.

Environment:
    SMALL_BATCH: how many utterances run together.
    FAULT and more: see ``faults.py``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults import serve_with_faults
from light_detector import open_light_detector

from sidecar.engine.batch_limits import BatchLimits
from sidecar.engine.speech_engine import SpeechEngine

# In place of 1024, 3072, 128 and 128.
CHANNELS, AGGREGATE_CHANNELS, SE_CHANNELS, ATTENTION_CHANNELS = 64, 96, 16, 16


class SmallEngine(SpeechEngine):
    """An ECAPA-TDNN of the published layout and depth, but narrow."""

    def open(self, *arguments):
        from model.seeded_ecapa import write_checkpoint

        from sidecar.networks import ecapa
        from sidecar.store.installed import FOLDER_WEIGHTS

        ecapa.CHANNELS, ecapa.AGGREGATE_CHANNELS = CHANNELS, AGGREGATE_CHANNELS
        ecapa.SE_CHANNELS, ecapa.ATTENTION_CHANNELS = SE_CHANNELS, ATTENTION_CHANNELS
        folder = Path(self._config.model)
        if not (folder / FOLDER_WEIGHTS).exists():
            write_checkpoint(folder)
        encoder = super().open(*arguments)
        encoder.batch_limits = BatchLimits(
            max_items=int(os.environ.get("SMALL_BATCH", "16")),
            max_padded_samples=30 * 16_000,
            min_likeness=0.5,
        )
        return encoder


if __name__ == "__main__":
    serve_with_faults(SmallEngine, open_light_detector)
