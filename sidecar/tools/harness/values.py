"""From the JSON of an entry to what the wire carries: bins, paths, sounds, earlier results."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from sidecar.tools.harness.generated_audio import BYTES_PER_SAMPLE, Sound, generate_pcm
from sidecar.tools.harness.located_json import BadFile, Node

_MAX_BIN_BYTES = 2**29
_SOUNDS = ("tone", "noise", "silence")
_CROP = ("start_s", "end_s")
_PCM_FORMAT = ("encoding", "sample_rate_hz", "channels")
_BINS = ("$bin", "$hex", "$text", "$file")
_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


@dataclass(frozen=True, slots=True)
class Stored:
    """The embedding, with its fingerprint, that an earlier entry's result holds."""

    number: int
    item: int | None


class ValueBuilder:
    """Builds what is sent. ``find_stored`` turns a ``{"from": ...}`` into the entry it names."""

    def __init__(self, folder: Path, find_stored: Callable[[Node], Stored]) -> None:
        self._folder = folder
        self._find_stored = find_stored

    def build_params(self, node: Node) -> object:
        """The params of a method: audios stand where the protocol's methods have them."""
        if not isinstance(node.value, dict):
            return self.build(node)
        built: dict[str, object] = {}
        for name, member in node.value.items():
            if name in {"audio", "a", "b"}:
                built[name] = self._build_voice(member)
            elif name == "items" and isinstance(member.value, list):
                built[name] = [self._build_voice(item) for item in member.value]
            else:
                built[name] = self.build(member)
        return built

    def build(self, node: Node) -> object:
        """Any value; a ``$`` object becomes the bin or the float that it stands for."""
        if isinstance(node.value, list):
            return [self.build(item) for item in node.value]
        if isinstance(node.value, dict):
            if any(name.startswith("$") for name in node.value):
                return self._build_special(node)
            return {name: self.build(member) for name, member in node.value.items()}
        return node.value

    def build_bin(self, node: Node) -> bytes:
        """A ``$`` object that stands for bytes; raises ``BadFile`` if it is none."""
        built = self.build(node)
        if not isinstance(built, bytes):
            node.fail(f"expected bytes, as an object with one of {', '.join(_BINS)}")
        return built

    def _build_special(self, node: Node) -> object:
        members = node.members("a value", (*_BINS, "$float", "repeat"))
        kinds = [name for name in members if name != "repeat"]
        if len(kinds) != 1:
            node.fail(f"it has {' and '.join(kinds)}: only one of them may be given")
        [kind] = kinds
        if kind == "$float":
            if "repeat" in members:
                members["repeat"].fail("only bytes can be repeated")
            return _FLOATS[members[kind].choice(kind, _FLOATS)]
        data = self._decode_bin(kind, members[kind])
        times = members["repeat"].integer("repeat") if "repeat" in members else 1
        if len(data) * times > _MAX_BIN_BYTES:
            node.fail(f"it has {len(data) * times} bytes; at most {_MAX_BIN_BYTES} can be made")
        return data * times

    def _decode_bin(self, kind: str, node: Node) -> bytes:
        if not isinstance(node.value, str):
            node.fail(f"{kind} must be a string, not {node.shown()}")
        try:
            match kind:
                case "$bin":
                    return base64.b64decode(node.value, validate=True)
                case "$hex":
                    return bytes.fromhex(node.value)
                case "$text":
                    return node.value.encode()
                case _:
                    return (self._folder / node.value).read_bytes()
        except binascii.Error as error:
            raise BadFile(node.place, f"it is no base64: {error}") from error
        except OSError as error:
            message = f"{node.value} cannot be read: {error.strerror or error}"
            raise BadFile(node.place, message) from error
        except ValueError as error:
            raise BadFile(node.place, f"{kind}: {error}") from error

    def _build_voice(self, node: Node) -> object:
        if not isinstance(node.value, dict):
            return self.build(node)
        members = node.value
        own = [name for name in (*_SOUNDS, "base64", "from") if name in members]
        if not own:
            return self._build_wire_audio(node)
        name, *others = own
        if others:
            node.fail(f"it has {' and '.join(own)}: only one of them may be given")
        if name == "from":
            node.members("a stored embedding", ("from", "item"))
            return self._find_stored(node)
        if name == "base64":
            node.members("an audio as base64", ("base64", *_PCM_FORMAT, *_CROP))
            is_pcm = any(field in members for field in _PCM_FORMAT)
            audio: dict[str, object] = {
                "pcm" if is_pcm else "file": self._decode_bin("$bin", members["base64"])
            }
        else:
            node.members(f"an audio with a {name}", (name, *_CROP))
            audio = _as_audio(_read_sound(name, members[name]))
        rest = {field: self.build(member) for field, member in members.items() if field != name}
        return {**audio, **rest}

    def _build_wire_audio(self, node: Node) -> object:
        built = self.build(node)
        if isinstance(built, dict) and isinstance(built.get("path"), str):
            built["path"] = self._absolute(built["path"])
        return built

    def _absolute(self, path: str) -> str:
        # Also another system's absolute paths stay as they are: to refuse them is the child's part.
        if PurePosixPath(path).is_absolute() or PureWindowsPath(path).anchor:
            return path
        return str((self._folder / path).absolute())


def _read_sound(kind: str, node: Node) -> Sound:
    known = ["duration_s", *_PCM_FORMAT, "level"]
    known += {"tone": ["frequency_hz"], "noise": ["seed"]}.get(kind, [])
    members = node.members(f"a {kind}", known)
    fields: dict[str, Any] = {}
    for name, member in members.items():
        if name == "encoding":
            fields[name] = member.choice(name, BYTES_PER_SAMPLE)
        elif name in {"sample_rate_hz", "channels"}:
            fields[name] = member.integer(name, least=1)
        elif name == "seed":
            fields[name] = member.integer(name)
        else:
            fields[name] = member.number(name)
    sound = Sound(kind, **fields)
    if sound.duration_s < 0 or sound.n_bytes > _MAX_BIN_BYTES:
        node.fail(f"a {kind} of {sound.duration_s} s cannot be made")
    return sound


def _as_audio(sound: Sound) -> dict[str, object]:
    return {
        "pcm": generate_pcm(sound),
        "encoding": sound.encoding,
        "sample_rate_hz": sound.sample_rate_hz,
        "channels": sound.channels,
    }
