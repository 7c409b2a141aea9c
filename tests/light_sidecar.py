"""The real server and decoder with an encoder that needs no torch: it starts at once.

Environment:
    LIGHT_LOAD_S: how long it loads. LIGHT_EMBED_S: how long one audio takes.
    LIGHT_BATCH: how many audios it takes together.
    LIGHT_LOAD_GATE, LIGHT_EMBED_GATE: a file that loading, or each batch, waits for.
    LIGHT_NOISE: what writes where it must not: print, c, grandchild, niceness (of a grandchild),
        joined by commas.
    FAULT and more: see ``faults.py``.

On standard error it says when it loads (``light: loading``) and when it embeds
(``light: embedding``), so that a test can wait for it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults import serve_with_faults

from protocol.reports import Cpu, DeviceReport, ModelReport, Progress, SelfTest
from sidecar.engine.batch_limits import BatchLimits
from sidecar.engine.speech_engine import SpeechEngine


class LightEmbedding:
    def __init__(self, values):
        self.values = values

    def packed(self, *, normalize):
        values = self.values / np.linalg.norm(self.values) if normalize else self.values
        return values.astype("<f4").tobytes()


class LightEncoder:
    """Embeds an audio as four numbers that depend on its samples alone."""

    degraded = None
    batch_limits = BatchLimits(
        max_items=int(os.environ.get("LIGHT_BATCH", "1")),
        max_padded_samples=20 * 16_000,
        min_likeness=0.5,
    )
    model = ModelReport("light", 4, 16_000, 0.045, 120.0, "light.0", None, None)
    device = DeviceReport(
        requested="auto",
        selected="cpu",
        reason="a light encoder for tests",
        runtime="light",
        precision="f32",
        threads=1,
        gpus=(),
        driver=None,
        torch=None,
        cuda=None,
        cpu=Cpu("test", 1, "none"),
        self_test=SelfTest(passed=True, cosine=1.0),
    )

    def peak_reserved_bytes(self):
        return None

    def rest(self):
        pass

    def embed(self, waveforms):
        tell("embedding")
        make_noise()
        wait_for_gate("LIGHT_EMBED_GATE")
        time.sleep(float(os.environ.get("LIGHT_EMBED_S", "0.001")) * len(waveforms))
        return [LightEmbedding(light_values(w.samples)) for w in waveforms]


class LightEngine(SpeechEngine):
    def import_libraries(self):
        from sidecar.audio.decoder import Decoder
        from sidecar.audio.waveform import DurationLimits

        model = LightEncoder.model
        limits = DurationLimits(model.min_duration_s, model.max_duration_s)
        return Decoder(limits, self._config.path_root, self._config.limits.max_windows)

    def open(self, on_progress, should_stop):
        tell("loading")
        make_noise()
        on_progress(Progress("load", 0, 1, "models"))
        wait_for_gate("LIGHT_LOAD_GATE", should_stop)
        loaded_at = time.monotonic() + float(os.environ.get("LIGHT_LOAD_S", "0"))
        while time.monotonic() < loaded_at and not should_stop():
            time.sleep(0.01)
        on_progress(Progress("load", 1, 1, "models"))
        return LightEncoder()


def light_values(samples):
    """Four numbers of an audio."""
    return np.array([1.0, len(samples) / 16_000, np.abs(samples).mean(), samples.std()], np.float32)


def tell(what):
    if __name__ == "__main__":
        # Not print: what a test waits for must not mix with what it makes noise with. And in a
        # thread of its own: where nobody reads, the log's line may leave no place for this one.
        line = f"light: {what}\n".encode()
        threading.Thread(target=os.write, args=(2, line), daemon=True).start()


def wait_for_gate(variable, should_stop=lambda: False):
    gate = os.environ.get(variable)
    while gate and not Path(gate).exists() and not should_stop():
        time.sleep(0.002)


def make_noise():
    noises = os.environ.get("LIGHT_NOISE", "").split(",")
    if "print" in noises:
        print("a stray print", flush=True)
        sys.stdout.write("another")
    if "c" in noises:
        libc = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
        libc.puts(b"from C")
        libc.fflush(None)
        os.write(1, b"a raw write to fd 1")
    if "niceness" in noises:
        code = "import os; print('a grandchild\\'s niceness is', os.nice(0))"
        subprocess.run([sys.executable, "-c", code], check=False)
    if "grandchild" in noises:
        # input() meets the end of a null device; a grandchild on the wire would wait for frames.
        code = "print('from a grandchild', flush=True); input()"
        subprocess.run([sys.executable, "-c", code], check=False)


if __name__ == "__main__":
    serve_with_faults(LightEngine)
