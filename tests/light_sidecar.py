"""The real server and decoder with an encoder that needs no torch: it starts at once.

Environment:
    LIGHT_LOAD_S: how long it loads. LIGHT_EMBED_S: how long one audio takes.
    LIGHT_BATCH: how many audios it takes together.
    LIGHT_IMPORT_GATE, LIGHT_LOAD_GATE, LIGHT_EMBED_GATE: a file that the imports, loading, or each
        batch waits for.
    LIGHT_NOISE: what writes where it must not: print, c, grandchild, niceness (of a grandchild),
        flood (of C, which keeps the GIL), long (a print), last words (of C, which aborts then); or
        offspring, a grandchild that stays; or standstill, which holds Python's lock for ever
        (Windows alone); joined by commas.
    FAULT and more: see ``faults.py``.

On standard error it says when it loads (``light: loading``) and when it embeds
(``light: embedding``), so that a test can wait for it.
"""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from faults import serve_with_faults
from light_detector import open_light_detector

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
        wait_for_gate("LIGHT_IMPORT_GATE")
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
        loaded_at = time.perf_counter() + float(os.environ.get("LIGHT_LOAD_S", "0"))
        while time.perf_counter() < loaded_at and not should_stop():
            time.sleep(0.01)
        on_progress(Progress("load", 1, 1, "models"))
        return LightEncoder()


def light_values(samples):
    """Four numbers of an audio."""
    return np.array([1.0, len(samples) / 16_000, np.abs(samples).mean(), samples.std()], np.float32)


def tell(what):
    if __name__ == "__main__":
        # Not print: what a test waits for must not mix with what it makes noise with.
        logging.getLogger("light").info("%s", what)


def wait_for_gate(variable, should_stop=lambda: False):
    gate = os.environ.get(variable)
    while gate and not Path(gate).exists() and not should_stop():
        time.sleep(0.002)


def make_noise():
    for noise in filter(None, os.environ.get("LIGHT_NOISE", "").split(",")):
        NOISES[noise]()


def stray_print():
    print("a stray print", flush=True)
    sys.stdout.write("another")


def write_from_c():
    libc = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    libc.puts(b"from C")
    libc.fflush(None)
    os.write(1, b"a raw write to fd 1")


def flood_from_c():
    on_windows = sys.platform == "win32"
    libc = ctypes.PyDLL("ucrtbase" if on_windows else None)
    write = libc._write if on_windows else libc.write
    for number in range(5000):
        line = b"flood %d %s\n" % (number, b"x" * 100)
        write(2, line, len(line))


def last_words_from_c():
    libc = ctypes.CDLL(None)
    libc.write(2, b"the last words\n", 15)
    libc.abort()


def grandchild(code):
    subprocess.run([sys.executable, "-c", code], check=False)


def offspring():
    null = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    stays = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], **null)
    tell(f"offspring {stays.pid} of {os.getpid()}.")


NOISES = {
    "print": stray_print,
    "c": write_from_c,
    "flood": flood_from_c,
    "long": lambda: print("a long print", "x" * 2**20),
    "last words": last_words_from_c,
    "niceness": lambda: grandchild("import os; print('a grandchild\\'s niceness is', os.nice(0))"),
    # input() meets the end of a null device; a grandchild on the wire would wait for frames.
    "grandchild": lambda: grandchild("print('from a grandchild', flush=True); input()"),
    "offspring": offspring,
    "standstill": lambda: ctypes.PyDLL("kernel32").Sleep(-1),
}


if __name__ == "__main__":
    serve_with_faults(LightEngine, open_light_detector)
