"""A seeded mix of requests, each with the one thing that may come of it.

Every audio comes from a small stock, so that what it becomes alone can be asked for first.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from raw_host import frame, request

RATES_HZ = (8_000, 16_000, 44_100)
WINDOW_S, HOP_S = 0.5, 0.25


@dataclass(frozen=True)
class Case:
    """A request and its outcome: ``ok``, or the kind of its error.

    ``audios``: what the embeddings in its result are of, in their order; in a batch, None where an
    error stands. ``frames`` may have the request twice, the second time as a ``duplicate_id``.
    """

    id: int
    frames: bytes
    outcome: str
    audios: tuple = ()
    method: str = "embed"
    has_deadline: bool = False

    @property
    def is_anonymous(self):
        """Whether no answer names its id."""
        return self.outcome == "bad_id"


@dataclass
class Stock:
    """Audios by name; of those with windows and segments, where these lie (s)."""

    audios: dict = field(default_factory=dict)
    windows: dict = field(default_factory=dict)


def fill_stock(voices, folder):
    """Each of ``voices`` (mono, 16 kHz, at least 0.15 s) in one of the ways that audio comes."""
    stock = Stock()
    for n, samples in enumerate(voices):
        kind = ("f32", "s16", "wav", "path", "stereo")[n % 5]
        rate_hz = RATES_HZ[n // 5 % 3]
        # Read at another rate it is another audio, which is as good.
        name = f"{kind} {n} of {len(samples)} samples at {rate_hz} Hz"
        stock.audios[name] = audio_as(kind, samples, rate_hz, os.fspath(folder / f"{n}.wav"))
        if kind in {"f32", "s16"} and rate_hz == 16_000 and len(samples) >= WINDOW_S * rate_hz:
            stock.windows[name] = plan(len(samples) / rate_hz)
    return stock


def audio_as(kind, samples, rate_hz, path):
    if kind in {"wav", "path"}:
        file = path if kind == "path" else io.BytesIO()
        soundfile.write(file, samples, rate_hz, format="WAV", subtype="PCM_16")
        return {"path": path} if kind == "path" else {"file": file.getvalue()}
    if kind == "s16":
        return pcm((samples * 32767).astype("<i2"), "s16le", rate_hz)
    channels = np.stack([samples, samples / 2], axis=1) if kind == "stereo" else samples
    return pcm(channels.astype("<f4"), "f32le", rate_hz, channels=1 + (kind == "stereo"))


def pcm(samples, encoding, rate_hz, channels=1):
    return {
        "pcm": samples.tobytes(),
        "encoding": encoding,
        "sample_rate_hz": rate_hz,
        "channels": channels,
    }


def plan(duration_s):
    """Where whole windows lie in an audio: for lengths that need no shorter one at the end."""
    n_windows = 1 + round((duration_s - WINDOW_S) / HOP_S)
    return [(n * HOP_S, n * HOP_S + WINDOW_S) for n in range(n_windows)]


class Mix:
    """Draws cases from ``stock``.

    ``stored`` is an embedding with its fingerprint, as a result gave them.
    """

    def __init__(self, rng, stock, stored):
        self._rng = rng
        self._stock = stock
        self._stored = stored
        self._names = list(stock.audios)
        self._windowed = list(stock.windows)
        self._hostile = list(hostile_requests())

    def draw(self, request_id):
        """The next case: 5 % are hostile, 5 % have a deadline."""
        rng = self._rng
        if rng.random() < 0.05:
            return self._hostile_case(request_id)
        method, params, audios = rng.choices(
            [self._embed, self._batch, self._windows, self._segments, self._score, self._report],
            [60, 12, 6, 6, 9, 7],
        )[0]()
        has_deadline = method.startswith("embed") and rng.random() < 0.06
        if has_deadline:
            params["deadline_ms"] = rng.choice([0, 1, 5, 20, 100, 1000])
        data = frame(request(request_id, method, params))
        return Case(request_id, data, "ok", audios, method, has_deadline)

    def _embed(self):
        name = self._rng.choice(self._names)
        normalize = self._rng.choice([True, False, None])
        return "embed", {"audio": self._stock.audios[name], "normalize": normalize}, (name,)

    def _batch(self):
        names = self._rng.choices(self._names, k=self._rng.randint(1, 4))
        items = [self._stock.audios[name] for name in names]
        if self._rng.random() < 0.2:
            spoilt = self._rng.randrange(len(items))
            items[spoilt], names[spoilt] = {"file": b"no audio"}, None
        return "embed_batch", {"items": items}, tuple(names)

    def _windows(self):
        name = self._rng.choice(self._windowed)
        params = {"audio": self._stock.audios[name], "window_s": WINDOW_S, "hop_s": HOP_S}
        return "embed_windows", params, tuple((name, at) for at in self._stock.windows[name])

    def _segments(self):
        name = self._rng.choice(self._windowed)
        segments = list(self._stock.windows[name])
        self._rng.shuffle(segments)
        audios = [(name, segment) for segment in segments]
        if self._rng.random() < 0.3:
            spoilt = self._rng.randrange(len(segments))
            segments[spoilt], audios[spoilt] = (1e3, 2e3), None
        params = {"audio": self._stock.audios[name], "segments": [list(one) for one in segments]}
        return "embed_segments", params, tuple(audios)

    def _score(self):
        a, b = self._rng.choices(self._names, k=2)
        params = {"a": self._stock.audios[a], "b": self._stock.audios[b]}
        return "score", params, (a, b)

    def _report(self):
        method = self._rng.choice(["health", "metrics", "score"])
        params = {"a": self._stored, "b": self._stored} if method == "score" else {}
        return method, params, ()

    def _hostile_case(self, request_id):
        good = self._stock.audios[self._rng.choice(self._names)]
        if self._rng.random() < 0.15:
            first = frame(request(request_id, "embed", {"audio": good}))
            again = frame(request(request_id, "health"))
            return Case(request_id, first + again, "duplicate_id", method="duplicate")
        outcome, method, params = self._rng.choice(self._hostile)
        if params is None:
            return Case(request_id, frame({"jsonrpc": "2.0", "id": [], "method": method}), outcome)
        params = {key: good if value is GOOD else value for key, value in params.items()}
        return Case(request_id, frame(request(request_id, method, params)), outcome, method=method)


GOOD = object()


def hostile_requests():
    """What is wrong with it (the kind of its error), the method, the params; None: a bad id."""
    silence = np.zeros(16_000, "<f4")
    spoilt = silence.copy()
    spoilt[777] = np.nan
    two_minutes = np.zeros(8_000 * 121, "<i2")
    yield "non_finite", "embed", {"audio": pcm(spoilt, "f32le", 16_000)}
    yield "out_of_range", "embed", {"audio": pcm(silence + 1e9, "f32le", 16_000)}
    yield "empty", "embed", {"audio": pcm(silence[:0], "f32le", 16_000)}
    yield "too_short", "embed", {"audio": pcm(silence[:100], "f32le", 16_000)}
    yield "too_long", "embed", {"audio": pcm(two_minutes, "s16le", 8_000)}
    yield "odd_length", "embed", {"audio": {**pcm(silence, "f32le", 16_000), "pcm": b"123"}}
    yield "unsupported_encoding", "embed", {"audio": pcm(silence, "mulaw", 16_000)}
    yield "unsupported_sample_rate", "embed", {"audio": pcm(silence, "f32le", 1_000)}
    yield (
        "bad_crop",
        "embed",
        {"audio": {**pcm(silence, "f32le", 16_000), "start_s": 5, "end_s": 6}},
    )
    yield "unsupported_format", "embed", {"audio": {"file": bytes(range(256)) * 20}}
    yield "unsupported_format", "embed", {"audio": {"file": struct.pack("<IIQ", 0x1A45DFA3, 1, 7)}}
    yield "path_relative", "embed", {"audio": {"path": "voice.wav"}}
    yield (
        "path_not_found",
        "embed",
        {"audio": {"path": os.fspath(Path("/no/such/voice.wav").resolve())}},
    )
    yield "invalid_params", "embed", {"audio": "voice"}
    yield "invalid_params", "embed", {"audio": GOOD, "normalize": "yes"}
    yield "invalid_params", "embed", {"audio": GOOD, "deadline_ms": -1}
    yield "invalid_params", "embed_windows", {"audio": GOOD, "window_s": 0.001, "hop_s": 1}
    yield "unknown_field", "embed", {"audio": GOOD, "colour": "red"}
    yield "missing_field", "embed", {}
    yield "method_not_found", "transcribe", {"audio": GOOD}
    yield "incompatible_embeddings", "score", {"a": stored("x"), "b": stored("y")}
    yield "bad_id", "embed", None


def stored(fingerprint):
    return {"embedding": struct.pack("<2f", 1, 2), "fingerprint": fingerprint}
