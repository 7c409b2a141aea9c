"""From the JSON of an entry to what the wire carries: bins, paths, sounds, earlier embeddings."""

from __future__ import annotations

import base64
import math
import random
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from sidecar.tools.harness.json_file import Json, Node, Shape

_MAX_BIN_BYTES = 2**29
_CROP = ("start_s", "end_s")
_ENCODINGS = {"f32le": 4, "s16le": 2}  # bytes of a sample
_PCM_SHAPES: dict[str, Shape] = {"encoding": _ENCODINGS, "sample_rate_hz": 1, "channels": 1}
_SOUND_SHAPES: dict[str, Shape] = {"duration_s": "number", "level": "number", **_PCM_SHAPES}
_SOUNDS: dict[str, dict[str, Shape]] = {
    "tone": {**_SOUND_SHAPES, "frequency_hz": "number"},
    "noise": {**_SOUND_SHAPES, "seed": 0},
    "silence": _SOUND_SHAPES,
}
_DEFAULTS: dict[str, Json] = {
    "duration_s": 1.0,
    "level": 0.5,
    "frequency_hz": 220.0,
    "seed": 0,
    "encoding": "f32le",
    "sample_rate_hz": 16_000,
    "channels": 1,
}
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_BINS: dict[str, Callable[[Path, str], bytes]] = {
    "$bin": lambda _, text: base64.b64decode(text, validate=True),
    "$hex": lambda _, text: bytes.fromhex(text),
    "$text": lambda _, text: text.encode(),
    "$file": lambda folder, name: (folder / name).read_bytes(),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """In params, in place of the embedding that the result of the entry ``number`` has."""

    number: int
    item: int | None


class ValueBuilder:
    """Builds what is sent. ``find_stored`` turns a ``{"from": ...}`` into the entry it names."""

    def __init__(self, folder: Path, find_stored: Callable[[Node], Stored]) -> None:
        self._folder = folder
        self._find_stored = find_stored

    def build(self, node: Node) -> Json:
        """Any value; a ``$`` object becomes the bin or the float that it stands for."""
        if isinstance(node.value, list):
            return [self.build(item) for item in node.children()]
        if not isinstance(node.value, dict):
            return node.value
        if any(name.startswith("$") for name in node.value):
            return self._build_special(node)
        return {name: self.build(node[name]) for name in node.value}

    def build_params(self, node: Node) -> Json:
        """The params of a method: audios stand where the protocol's methods have them."""
        built = self.build(node)
        if isinstance(node.value, dict):
            for name in built.keys() & {"audio", "a", "b"}:
                built[name] = self._build_voice(node[name], built[name])
            if isinstance(built.get("items"), list):
                pairs = zip(node["items"].children(), built["items"], strict=True)
                built["items"] = [self._build_voice(*pair) for pair in pairs]
        return built

    def _build_special(self, node: Node) -> Json:
        given = node.fields({**dict.fromkeys(_BINS, "string"), "$float": _FLOATS, "repeat": 0})
        kind = node.only_one_of((*_BINS, "$float"))
        if kind == "$float":
            if "repeat" in given:
                node["repeat"].fail("is for bytes alone")
            return _FLOATS[given[kind]]
        data, times = self._decode(node[kind], kind), given.get("repeat", 1)
        if len(data) * times > _MAX_BIN_BYTES:
            node.fail(f"has {len(data) * times} bytes; at most {_MAX_BIN_BYTES} can be made")
        return data * times

    def _decode(self, node: Node, kind: str) -> bytes:
        try:
            return _BINS[kind](self._folder, node.value)
        except OSError as error:
            node.fail(f"names {node.value}, which cannot be read: {error.strerror or error}")
        except ValueError as error:
            node.fail(f"cannot be decoded: {error}")

    def _build_voice(self, node: Node, built: Json) -> Json:
        """The audio or embedding at ``node``; ``built`` is what else it could be."""
        kinds = (*_SOUNDS, "base64", "from")
        if not isinstance(built, dict) or built.keys().isdisjoint(kinds):
            if isinstance(built, dict) and isinstance(built.get("path"), str):
                built["path"] = self._absolute(built["path"])
            return built
        kind = node.only_one_of(kinds)
        if kind == "from":
            node.fields({"from": "string", "item": 0})
            return self._find_stored(node)
        shapes = dict.fromkeys((*_CROP, *(_PCM_SHAPES if kind == "base64" else ())))
        node.fields({kind: "string" if kind == "base64" else "object", **shapes})
        del built[kind]
        if kind != "base64":
            return {**_build_sound(node[kind], kind), **built}
        holds = "file" if built.keys().isdisjoint(_PCM_SHAPES) else "pcm"
        return {holds: self._decode(node[kind], "$bin"), **built}

    def _absolute(self, path: str) -> str:
        # Also another system's absolute paths stay as they are: to refuse them is the child's part.
        if PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor:
            return path
        return str((self._folder / path).absolute())


def embedding_in(result: Json, item: int | None) -> dict[str, Json] | None:
    """The embedding in a result, of its ``item`` if it has several, with its fingerprint."""
    try:
        if item is not None and "embeddings" in result:
            n_bytes = 4 * result["dim"]
            embedding = result["embeddings"][item * n_bytes : (item + 1) * n_bytes]
            result = {**result, "embedding": embedding} if embedding else {}
        elif item is not None:
            result = result["results"][item]["result"]
        return {name: result[name] for name in ("embedding", "fingerprint")}
    except (LookupError, TypeError):
        return None


def _build_sound(node: Node, kind: str) -> dict[str, Json]:
    sound = {**_DEFAULTS, **node.fields(_SOUNDS[kind])}
    n_samples = sound["duration_s"] * sound["sample_rate_hz"] * sound["channels"]
    if not 0 <= n_samples * _ENCODINGS[sound["encoding"]] <= _MAX_BIN_BYTES:
        node.fail(f"cannot be made: it would have {n_samples:g} samples")
    return {"pcm": _generate(kind, **sound), **{name: sound[name] for name in _PCM_SHAPES}}


# Files tend to ask for the same sound again and again.
@lru_cache(maxsize=32)
def _generate(kind: str, **sound: Json) -> bytes:
    """Samples with a peak of ``level``, the same in all channels: a sine, or white noise."""
    n_frames = round(sound["duration_s"] * sound["sample_rate_hz"])
    frames = [0.0] * n_frames
    if kind == "noise":
        numbers = random.Random(sound["seed"])  # noqa: S311 - a sound, no secret
        frames = [sound["level"] * numbers.uniform(-1.0, 1.0) for _ in range(n_frames)]
    elif kind == "tone":
        step = 2 * math.pi * sound["frequency_hz"] / sound["sample_rate_hz"]
        frames = [sound["level"] * math.sin(step * n) for n in range(n_frames)]
    values = [value for value in frames for _ in range(sound["channels"])]
    samples: array[float] | array[int] = array("f", values)
    if sound["encoding"] == "s16le":
        samples = array("h", [round(max(-1.0, min(1.0, value)) * 32767) for value in values])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
