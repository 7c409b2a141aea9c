"""From the JSON of an entry to what the wire carries: bins, paths, sounds, earlier embeddings."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from sidecar.tools.harness.json_file import Json, Node, Shape

_MAX_BIN_BYTES = 2**29
# Where the protocol's methods have an audio or an embedding.
_VOICE_PATH = re.compile(r"(\[\d+\]\.)?params\.(audio|a|b|(items|embeddings)\[\d+\])")
# Where a stream has what comes next.
_PUSHED_PATH = re.compile(r"(\[\d+\]\.)?params\.pcm")
# What an earlier answer tells can be sent, but not expected: it is not known when a file is read.
_SENT_PATH = re.compile(r"(\[\d+\]\.)?params\..+")

# The fields of a sound: their shapes and their defaults.
_SOUND: dict[str, tuple[Shape, Json]] = {
    "duration_s": ("number", 1.0),
    "level": ("number", 0.5),
    "frequency_hz": ("number", 220.0),
    "seed": (0, 0),
    "encoding": (("f32le", "s16le"), "f32le"),
    "sample_rate_hz": (1, 16_000),
    "channels": (1, 1),
}
_PCM = ("encoding", "sample_rate_hz", "channels")
_CROP: dict[str, Shape] = {"start_s": None, "end_s": None}
_VOICES: dict[str, dict[str, Shape]] = {
    **{name: {name: "object", **_CROP} for name in ("tone", "noise", "silence")},
    "base64": {"base64": "string", **_CROP, **dict.fromkeys(_PCM)},
    "from": {"from": "string", "item": 0, "speech_s": "number"},
}
_PUSHED: dict[str, dict[str, Shape]] = {
    **{name: {name: "object"} for name in ("tone", "noise", "silence")},
    "recording": {"recording": "string", **_CROP, "encoding": ("f32le", "s16le")},
}
_SPECIALS: dict[str, dict[str, Shape]] = {
    **{name: {name: "string", "repeat": 0} for name in ("$bin", "$hex", "$text", "$file")},
    "$float": {"$float": ("nan", "inf", "-inf")},
    "$result": {"$result": "string", "field": "string"},
}


class ValueBuilder:
    """Builds what is sent.

    ``find_earlier`` gives what stands for a ``{"from": ...}`` or a ``{"$result": ...}``.
    """

    def __init__(self, folder: Path, find_earlier: Callable[[Node], object]) -> None:
        self._folder = folder
        self._find_earlier = find_earlier

    def build(self, node: Node) -> Json:
        """Any value: a ``$`` object becomes a bin or a float, an audio what the wire has."""
        if isinstance(node.value, list):
            return [self.build(item) for item in node.children()]
        if not isinstance(node.value, dict):
            return node.value
        if any(name.startswith("$") for name in node.value):
            return self._build_special(node)
        is_voice = _VOICE_PATH.fullmatch(node.path) is not None
        if is_voice and not node.value.keys().isdisjoint(_VOICES):
            return self._build_voice(node)
        if _PUSHED_PATH.fullmatch(node.path) and not node.value.keys().isdisjoint(_PUSHED):
            return self._build_pushed(node)
        built = {name: self.build(node[name]) for name in node.value}
        if is_voice and isinstance(built.get("path"), str):
            built["path"] = str(self._folder / built["path"])
        return built

    def _build_special(self, node: Node) -> Json:
        kind = node.kind(_SPECIALS)
        if kind == "$float":
            return float(node.value[kind])
        if kind == "$result":
            if not _SENT_PATH.fullmatch(node.path):
                node.fail("cannot stand here: an earlier result can be used in params alone")
            return self._find_earlier(node)
        data, times = self._decode(node[kind], kind), node.value.get("repeat", 1)
        _check_size(node, len(data) * times)
        return data * int(times)

    def _decode(self, node: Node, kind: str) -> bytes:
        text: str = node.value
        try:
            match kind:
                case "$hex":
                    return bytes.fromhex(text)
                case "$text":
                    return text.encode()
                case "$file":
                    return (self._folder / text).read_bytes()
            return base64.b64decode(text, validate=True)
        except (OSError, ValueError) as error:
            node.fail(f"cannot be read: {error}")

    def _build_pushed(self, node: Node) -> bytes:
        """Samples alone: a sound's, or those of a part of a recording, channels interleaved."""
        kind = node.kind(_PUSHED)
        if kind != "recording":
            samples: bytes = _build_sound(node[kind], kind)["pcm"]
            return samples
        is_float = node.value.get("encoding", "f32le") == "f32le"
        try:
            with soundfile.SoundFile(self._folder / node.value[kind]) as audio:
                start = round(node.value.get("start_s", 0) * audio.samplerate)
                end = node.value.get("end_s")
                audio.seek(start)
                n_frames = -1 if end is None else round(end * audio.samplerate) - start
                frames = audio.read(n_frames, dtype="float32" if is_float else "int16")
        except (OSError, ValueError, soundfile.SoundFileError) as error:
            node.fail(f"cannot be read: {error}")
        return bytes(frames.astype("<f4" if is_float else "<i2").tobytes())

    def _build_voice(self, node: Node) -> Json:
        kind = node.kind(_VOICES)
        if kind == "from":
            return self._find_earlier(node)
        others = {name: self.build(node[name]) for name in node.value if name != kind}
        if kind != "base64":
            return {**_build_sound(node[kind], kind), **others}
        holds = "file" if others.keys().isdisjoint(_PCM) else "pcm"
        return {holds: self._decode(node[kind], "$bin"), **others}


def _build_sound(node: Node, kind: str) -> dict[str, Json]:
    given = node.fields({name: shape for name, (shape, _) in _SOUND.items()})
    sound = {name: default for name, (_, default) in _SOUND.items()} | given
    _check_size(node, 4 * sound["duration_s"] * sound["sample_rate_hz"] * sound["channels"])
    return {"pcm": _samples(kind, sound), **{name: sound[name] for name in _PCM}}


def _check_size(node: Node, n_bytes: float) -> None:
    if not 0 <= n_bytes <= _MAX_BIN_BYTES:
        node.fail(f"would have {n_bytes:g} bytes; at most {_MAX_BIN_BYTES} can be made")


def _samples(kind: str, sound: dict[str, Json]) -> bytes:
    """Samples with a peak of ``level``, the same in all channels: a sine, or white noise."""
    frames = np.zeros(round(sound["duration_s"] * sound["sample_rate_hz"]))
    if kind == "noise":
        frames = np.random.default_rng(sound["seed"]).uniform(-1, 1, len(frames))
    elif kind == "tone":
        step = 2 * np.pi * sound["frequency_hz"] / sound["sample_rate_hz"]
        frames = np.sin(step * np.arange(len(frames)))
    samples = np.repeat(sound["level"] * frames, sound["channels"])
    if sound["encoding"] == "s16le":
        return bytes(np.rint(samples.clip(-1, 1) * 32767).astype("<i2"))
    return bytes(samples.astype("<f4"))
