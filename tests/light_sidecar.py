"""The real server and decoder with an encoder that needs no torch: it starts at once.

Environment: ``LIGHT_LOAD_S`` how long it loads, ``LIGHT_EMBED_S`` how long one audio takes,
``LIGHT_NOISE`` what writes where it must not (print, c, grandchild), joined by commas.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time

import numpy as np

from protocol.reports import Cpu, DeviceReport, ModelReport, SelfTest
from sidecar.__main__ import _build_parser, serve
from sidecar.backend import SpeechBackend


class LightEmbedding:
    def __init__(self, values):
        self.values = values

    def packed(self, *, normalize):
        values = self.values / np.linalg.norm(self.values) if normalize else self.values
        return values.astype("<f4").tobytes()


class LightEncoder:
    """Embeds an audio as four numbers that depend on its samples alone."""

    degraded = None
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

    def embed(self, waveforms):
        make_noise()
        time.sleep(float(os.environ.get("LIGHT_EMBED_S", "0.001")) * len(waveforms))
        return [LightEmbedding(light_values(w.samples)) for w in waveforms]


class LightBackend(SpeechBackend):
    def import_natives(self):
        import sidecar.audio
        from sidecar.models.catalog import MODELS

        assert sidecar.audio
        self._card = MODELS["campplus-zh-en"]

    def open(self, on_progress, should_stop):
        make_noise()
        loaded_at = time.monotonic() + float(os.environ.get("LIGHT_LOAD_S", "0"))
        while time.monotonic() < loaded_at and not should_stop():
            time.sleep(0.01)
        return LightEncoder()


def light_values(samples):
    """Four numbers of an audio."""
    return np.array([1.0, len(samples) / 16_000, np.abs(samples).mean(), samples.std()], np.float32)


def make_noise():
    noises = os.environ.get("LIGHT_NOISE", "").split(",")
    if "print" in noises:
        print("a stray print", flush=True)
        sys.stdout.write("another")
    if "c" in noises:
        libc = ctypes.CDLL(None)
        libc.puts(b"from C")
        libc.fflush(None)
        os.write(1, b"a raw write to fd 1")
    if "grandchild" in noises:
        subprocess.run([sys.executable, "-c", "print('hi'); input()"], check=False)


if __name__ == "__main__":
    serve(_build_parser("serve").parse_args(["serve", *sys.argv[1:]]), LightBackend)
