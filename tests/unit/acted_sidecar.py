"""A program that acts as a sidecar for the demo: two voices speak by turns, each for 2 s.

``acted_sidecar.py [CAPABILITY ...]``. Its voices are told apart by where an audio starts. It needs
two turns to know one.
"""

from __future__ import annotations

import struct
import sys

import msgpack

DEVICE = {"selected": "cpu", "runtime": "none", "precision": "f32", "reason": "an actor"}
MODEL = {"id": "acted", "embedding_dim": 2}
HEALTH = {"state": "ready", "reason": "r", "timings": {}, "device": DEVICE, "model": MODEL}
HEARD_S = {}


def say(**message):
    payload = msgpack.packb({"jsonrpc": "2.0", **message})
    sys.stdout.buffer.write(struct.pack("<I", len(payload)) + payload)
    sys.stdout.buffer.flush()


def voice_of(params):
    return int(params["audio"]["start_s"] // 2) % 2


def embed(params):
    numbers = [(1.0, 0.0), (0.0, 1.0)][voice_of(params)]
    return {"embedding": struct.pack("<2f", *numbers), "timings": {"compute_ms": 1}}


def enroll(params):
    voice = voice_of(params)
    HEARD_S[voice] = HEARD_S.get(voice, 0) + 2
    told = {"id": str(voice), "used": True, "speech_s": HEARD_S[voice]}
    return {**told, "needed_s": max(0, 3 - HEARD_S[voice])}


def identify(params):
    person = {"id": str(voice_of(params)), "name": "A or B"}
    return {"person": person, "matches": [{**person, "probability": 0.875}]}


METHODS = {"embed": embed, "enroll": enroll, "identify": identify, "shutdown": lambda _: {}}

if __name__ == "__main__":
    # The demo has options for a sidecar, which it acts as if it obeyed.
    capabilities = [word for word in sys.argv[1:] if word == "people"]
    hello = {"protocol": 1, "name": "actor", "version": "1", "pid": 1}
    say(method="hello", params={**hello, "capabilities": capabilities})
    say(method="health", params=HEALTH)
    while header := sys.stdin.buffer.read(4):
        message = msgpack.unpackb(sys.stdin.buffer.read(*struct.unpack("<I", header)))
        say(id=message["id"], result=METHODS[message["method"]](message["params"]))
