"""Valid frames of every method, and what a bad wire or a bad host could make of them."""

from __future__ import annotations

import os
import struct
from collections import Counter
from dataclasses import dataclass, field

import msgpack
from raw_host import frame, pcm, request

from protocol.errors import FramingError, InternalError
from protocol.framing import FrameDecoder
from protocol.messages import Failure, Notice, Refusal, Request, Result, decode_from_host
from protocol.params import ShutdownParams
from protocol.payload import unpack

STORED = {"embedding": struct.pack("<4f", 1, 2, 3, 4), "fingerprint": "light.0"}


def wav(duration_s):
    data = pcm(duration_s)["pcm"]
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(chunks) + len(data)) + chunks + data


def valid_frames(rng, path):
    """One to eight frames of all methods, with ids that sometimes come twice."""
    makers = [
        lambda: ("embed", {"audio": pcm(rng.choice([0.06, 0.1, 0.3]))}),
        lambda: ("embed", {"audio": {"file": wav(0.1)}, "normalize": False}),
        lambda: ("embed", {"audio": {"path": path}, "deadline_ms": rng.choice([0, 1, 60_000])}),
        lambda: ("embed_batch", {"items": [pcm(0.06), pcm(0.001), {"file": wav(0.06)}]}),
        lambda: ("embed_windows", {"audio": pcm(0.5), "window_s": 0.2, "hop_s": 0.1}),
        lambda: (
            "embed_segments",
            {"audio": {"file": wav(0.5)}, "segments": [[0.1, 0.3], [2, 1], [0, 9]]},
        ),
        lambda: (
            "embed_segments",
            {"audio": {"path": path}, "segments": [[0, 0.1]] * 20, "progress": True},
        ),
        lambda: ("embed", {"audio": pcm(0.6), "speech": rng.choice(["auto", "require", "all"])}),
        lambda: ("speech", {"audio": {"path": path}}),
        lambda: ("score", {"a": STORED, "b": STORED}),
        lambda: ("score", {"a": pcm(0.1), "b": STORED}),
        lambda: ("health", {}),
        lambda: ("metrics", None),
        lambda: ("shutdown", {"drain_ms": rng.choice([0, 1, 1000])}),
    ]
    frames = []
    for _ in range(rng.randint(1, 8)):
        method, params = rng.choice(makers)()
        request_id = rng.choice([rng.randrange(12), f"id-{rng.randrange(12)}"])
        frames.append(frame(request(request_id, method, params)))
        if rng.random() < 0.15:
            cancel = {"jsonrpc": "2.0", "method": "cancel", "params": {"id": rng.randrange(12)}}
            frames.append(frame(cancel))
    return frames


def mutate(rng, frames):
    """The stream of ``frames`` after one to three mutations, and their names."""
    names = []
    frames = list(frames)
    for _ in range(rng.randint(1, 3)):
        mutation = rng.choice(MUTATIONS)
        names.append(mutation.__name__)
        index = rng.randrange(len(frames))
        mutation(rng, frames, index)
        frames = [data for data in frames if data] or [b"\0"]
    stream = b"".join(frames)
    if rng.random() < 0.2:
        names.append("cut the stream")
        stream = stream[: rng.randrange(len(stream) + 1)]
    return stream, names


def flip_bits_of_payload(rng, frames, index):
    _flip_bits(rng, frames, index, from_byte=4)


def flip_bits_of_all(rng, frames, index):
    _flip_bits(rng, frames, index, from_byte=0)


def _flip_bits(rng, frames, index, from_byte):
    data = bytearray(frames[index])
    # The envelope and the params' names stand in front: there is more to break than in the audio.
    end = len(data) if rng.random() < 0.3 else min(len(data), 120)
    for _ in range(rng.randint(1, 8)):
        if end > from_byte:
            data[rng.randrange(from_byte, end)] ^= 1 << rng.randrange(8)
    frames[index] = bytes(data)


def insert_bytes(rng, frames, index):
    data, at = frames[index], rng.randrange(len(frames[index]) + 1)
    inserted = rng.randbytes(rng.randint(1, 6))
    frames[index] = _with_true_length(rng, data[:at] + inserted + data[at:])


def delete_bytes(rng, frames, index):
    data, at = frames[index], rng.randrange(len(frames[index]))
    frames[index] = _with_true_length(rng, data[:at] + data[at + rng.randint(1, 6) :])


def truncate_frame(rng, frames, index):
    frames[index] = _with_true_length(rng, frames[index][: rng.randrange(len(frames[index]) + 1)])


def duplicate_frame(rng, frames, index):
    frames.insert(rng.randrange(len(frames) + 1), frames[index])


def splice_frames(rng, frames, index):
    other = frames[rng.randrange(len(frames))]
    head = frames[index][: rng.randrange(len(frames[index]) + 1)]
    frames[index] = _with_true_length(rng, head + other[rng.randrange(len(other) + 1) :])


def edit_length(rng, frames, index):
    data = frames[index]
    near = max(0, len(data) - 4 + rng.choice([-2, -1, 1, 2, 100]))
    length = rng.choice([0, 1, near, near, near, 64 * 2**20, 64 * 2**20 + 1, rng.getrandbits(32)])
    frames[index] = struct.pack("<I", length) + data[4:]


def swap_types(rng, frames, index):
    try:
        message = unpack(frames[index][4:])
    except Exception:  # noqa: BLE001 - an earlier mutation broke it
        return
    places = list(_places(message))
    for _ in range(rng.randint(1, 2)):
        if places:
            container, key = rng.choice(places)
            container[key] = rng.choice(_OTHER_VALUES)(rng)
    frames[index] = frame(message)


def rename_key(rng, frames, index):
    try:
        message = unpack(frames[index][4:])
    except Exception:  # noqa: BLE001 - an earlier mutation broke it
        return
    maps = [c for c in (message, message.get("params")) if isinstance(c, dict) and c]
    for container in maps[-1:]:
        key = rng.choice(list(container))
        container[rng.choice([key + "x", "", "audio", "id"])] = container.pop(key)
    frames[index] = frame(message)


MUTATIONS = [
    flip_bits_of_payload,
    flip_bits_of_payload,
    flip_bits_of_all,
    insert_bytes,
    delete_bytes,
    truncate_frame,
    duplicate_frame,
    splice_frames,
    edit_length,
    swap_types,
    swap_types,
    rename_key,
]

_OTHER_VALUES = [
    lambda _: None,
    lambda _: True,
    lambda rng: rng.randint(-3, 3),
    lambda _: 2**63,
    lambda rng: rng.uniform(-1, 1) * 10 ** rng.randint(-3, 30),
    lambda _: float("nan"),
    lambda _: float("-inf"),
    lambda _: "",
    lambda _: "\0/x" * 30,
    lambda _: "f32le",
    lambda rng: rng.randbytes(rng.randrange(40)),
    lambda _: [],
    lambda _: [[{}]],
    lambda _: {},
    lambda _: {"audio": 1},
    lambda _: msgpack.ExtType(5, b"x"),
]


def _places(value):
    """Every (container, key) below ``value``."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(entries):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


def _with_true_length(rng, data):
    """Mostly the length is mended, so that the payload is what is wrong."""
    if rng.random() < 0.8 and len(data) > 4:
        return struct.pack("<I", len(data) - 4) + data[4:]
    return data


@dataclass
class Expected:
    """What a child owes for one stream. ``shutdowns``: the ids of valid shutdowns, by position."""

    ids: list = field(default_factory=list)
    shutdowns: dict = field(default_factory=dict)
    is_fatal: bool = False


def expect(stream):
    """What the child must answer, by the definition of the protocol's own functions."""
    expected = Expected()
    try:
        for payload in FrameDecoder().feed(stream):
            message = decode_from_host(payload)
            if isinstance(message, (Request, Refusal)):
                if isinstance(message, Request) and isinstance(message.params, ShutdownParams):
                    expected.shutdowns[len(expected.ids)] = message.id
                expected.ids.append(message.id)
    except FramingError:
        expected.is_fatal = True
    return expected


def check(expected, messages, exit_code):
    """Raise AssertionError unless ``messages`` and ``exit_code`` are what was expected."""
    owed_at_most = Counter(expected.ids)
    owed_at_least, n_shutdowns = owed_at_most, 0
    for position, request_id in expected.shutdowns.items():
        answered = [
            i
            for i, m in enumerate(messages)
            if isinstance(m, Result) and m.id == request_id and "finished" in m.result
        ]
        if answered:
            n_shutdowns += 1
            assert answered == [len(messages) - 1], "something follows the shutdown's response"
            owed_at_least = Counter(expected.ids[: position + 1])
            break
    answered = Counter()
    n_fatal = 0
    for message in messages:
        if isinstance(message, Notice):
            continue
        if isinstance(message, Failure):
            assert message.code != InternalError.code, message
            kind = message.data["kind"]
            if kind == "duplicate_id":
                assert message.id is None, message
                answered[message.data["request_id"]] += 1
                continue
            if kind == "frame_length":
                assert message.id is None, message
                n_fatal += 1
                continue
        answered[message.id] += 1
    assert answered >= owed_at_least, f"unanswered: {owed_at_least - answered}"
    assert answered <= owed_at_most, f"answered too often: {answered - owed_at_most}"
    if n_shutdowns:
        assert exit_code in {0, 76}, exit_code
        assert n_fatal <= expected.is_fatal
    else:
        assert exit_code == (76 if expected.is_fatal else 0), exit_code
        assert n_fatal == expected.is_fatal


def number_from(variable, default):
    return int(os.environ.get(variable, default))
