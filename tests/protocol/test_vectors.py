"""The golden vectors against the functions; the process has its turn in ``tests/e2e``."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from protocol.errors import FramingError
from protocol.framing import FrameDecoder
from protocol.messages import Ignored, Refusal, Request, decode_from_child, decode_from_host
from protocol.params import CancelParams
from protocol.payload import unpack
from protocol.vectors.generate import contents

FOLDER = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
MEANINGS = sorted(FOLDER.glob("*.json"))
TO_CHILD = [p for p in MEANINGS if json.loads(p.read_text("utf-8"))["direction"] == "host_to_child"]
TO_HOST = [p for p in MEANINGS if p not in TO_CHILD]


def test_the_files_are_what_the_generator_writes():
    stored = {p.name: p.read_bytes() for p in FOLDER.iterdir() if p.suffix in {".bin", ".json"}}
    assert stored == contents()


def load(path):
    meaning = json.loads(path.read_text("utf-8"))
    stream = path.with_suffix(".bin").read_bytes()
    cuts = meaning.get("cut_at", [len(stream)])
    return meaning, [stream[:cut] for cut in cuts]


def decode(stream, chunk):
    """The payloads, and how the stream ends."""
    decoder, payloads = FrameDecoder(), []
    try:
        for start in range(0, len(stream), chunk):
            for payload in decoder.feed(stream[start : start + chunk]):
                payloads.append(payload)  # noqa: PERF402 - those before a bad length count
    except FramingError:
        return payloads, "fatal"
    return payloads, "cut" if decoder.pending_bytes else "continues"


def told(message):
    """A decoded message in the words of the vectors."""
    match message:
        case Request():
            return {"request": {"id": message.id, "method": message.params.method}}
        case Refusal():
            error = message.error
            return {"refusal": {"id": message.id, "code": error.code, "kind": error.kind}}
        case CancelParams():
            return {"cancel": {"id": message.id}}
        case Ignored():
            return {"ignored": True}


@pytest.mark.parametrize("path", TO_CHILD, ids=lambda p: p.stem)
def test_towards_the_child(path):
    meaning, streams = load(path)
    for stream in streams:
        chunks = [1, len(stream) or 1] if len(stream) < 4096 else [997, len(stream)]
        for chunk in chunks:
            payloads, end = decode(stream, chunk)
            assert end == meaning["stream"]
            assert [told(decode_from_host(p)) for p in payloads] == meaning["messages"]


@pytest.mark.parametrize("path", TO_HOST, ids=lambda p: p.stem)
def test_towards_the_host(path):
    meaning, [stream] = load(path)
    payloads, end = decode(stream, 1)
    assert end == meaning["stream"]
    assert [as_json(unpack(payload)) for payload in payloads] == meaning["messages"]
    for payload in payloads:
        assert decode_from_child(payload) is not None


def as_json(value):
    if isinstance(value, bytes):
        return {"$bin": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value
