"""How fast the CPU serves, beside torch and beside what the processor can do: for ``doctor``."""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import timeit
from dataclasses import replace
from typing import Any

import numpy as np

from sidecar.audio.waveform import Waveform
from sidecar.bundle import is_bundle
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.engine.device_check import waveform
from sidecar.engine.encoder import Encoder
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.store.installed import find_card, install
from sidecar.store.weights import WeightStore, default_models_dir
from sidecar.tools.matrix_product import count_flop, rate_flop_s

SECONDS = 3
_RUNS = 5
# Two timings of the same thing differ by a few per cent.
_CLEARLY = 0.9


def beside_torch(encoder: Encoder, config: Config) -> dict[str, Any] | None:
    """Times of ``SECONDS`` of audio; None in a bundle, and where torch is missing or serves.

    ``ms`` and ``torch_ms``; ``share`` is the network's work in the time of the whole call, as a
    share of the rate at which torch multiplies two large matrices with as many threads. Or
    ``error``: why torch cannot be compared with.
    """
    served_by, threads = str(encoder.device.runtime), encoder.device.threads or 1
    has_torch = not is_bundle() and importlib.util.find_spec("torch") is not None
    if not has_torch or served_by.startswith("torch "):
        return None
    try:
        return _compared(encoder, replace(config, runtime="torch", threads=threads), threads)
    except Exception as error:  # noqa: BLE001 - the device serves all the same
        return {"error": getattr(error, "message", f"{error!r}")}


def _compared(encoder: Encoder, config: Config, threads: int) -> dict[str, Any]:
    n_samples = SECONDS * SAMPLE_RATE_HZ
    audio = [Waveform(np.resize(waveform(), n_samples))]
    engine = SpeechEngine(config)
    engine.find_model()
    with_torch = engine.open(lambda _: None, lambda: False)
    # In turn, so that a busy machine slows both alike; the first of each is left out.
    times_s = [(_timed(encoder, audio), _timed(with_torch, audio)) for _ in range(1 + _RUNS)][1:]
    ms, torch_ms = (1000 * statistics.median(of) for of in zip(*times_s, strict=True))
    card = find_card(config.model)
    store = WeightStore(config.models_dir or default_models_dir(), offline=True)
    network = importlib.import_module(f"sidecar.networks.{card.network}")
    flop = count_flop(network.load(install(config.model, card, store).weights), n_samples)
    share = flop / (ms / 1000) / rate_flop_s(threads)
    return {"ms": round(ms, 2), "torch_ms": round(torch_ms, 2), "share": round(share, 3)}


def _timed(encoder: Encoder, audio: list[Waveform]) -> float:
    return timeit.timeit(lambda: encoder.embed(audio), number=1)


def in_words(times: dict[str, Any]) -> str:
    """What ``beside_torch`` found."""
    if "error" in times:
        return f"cannot be compared with torch: {times['error']}"
    words = (
        f"{SECONDS} s of audio in {times['ms']:.1f} ms, with torch in {times['torch_ms']:.1f} ms; "
        f"{100 * times['share']:.0f} % of the rate of a matrix product"
    )
    if times["torch_ms"] < _CLEARLY * times["ms"]:
        return f"{words}. WARNING: torch is faster on this machine; take --runtime torch"
    return words
