"""The worked example of PROTOCOL.md is true, byte for byte."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from protocol.framing import FrameDecoder, encode_frame
from protocol.messages import Request, decode_from_host, encode_request
from protocol.params import EmbedParams, PathAudio
from protocol.payload import pack, unpack

PROTOCOL = Path(__file__).resolve().parents[2] / "protocol"
NAMES = ("request", "response")


def example(name):
    """The message under the mark ``name``, and the lines of hex below it."""
    text = (PROTOCOL / "PROTOCOL.md").read_text("utf-8")
    pattern = rf"<!-- {name} -->\n```json\n(.*?)\n```\n.*?\n```\n(.*?)\n```\n"
    [(as_json, dump)] = re.findall(pattern, text, re.DOTALL)
    return json.loads(as_json, object_hook=with_bins), dump.splitlines()


def with_bins(fields):
    return base64.b64decode(fields["$bin"]) if "$bin" in fields else fields


def bytes_of(lines):
    return b"".join(bytes.fromhex(line.partition("#")[0]) for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_the_hex_is_the_json(name):
    message, lines = example(name)
    [payload] = FrameDecoder().feed(bytes_of(lines))
    assert unpack(payload) == message
    assert encode_frame(pack(message)) == bytes_of(lines)


@pytest.mark.parametrize("name", NAMES)
def test_each_comment_is_of_its_line(name):
    _, lines = example(name)
    words = [
        (word, line) for line in lines for word in re.findall(r'"([^"]+)"', line.partition("#")[2])
    ]
    assert len(words) > 5
    for word, line in words:
        assert word.encode() in bytes_of([line])


def test_the_request_is_what_a_host_sends():
    _, lines = example("request")
    [payload] = FrameDecoder().feed(bytes_of(lines))
    asked = EmbedParams(PathAudio("/home/ada/hello.wav"))
    assert decode_from_host(payload) == Request(8, asked)
    assert encode_request(8, asked) == payload


def test_the_response_is_a_golden_frame():
    _, lines = example("response")
    golden = PROTOCOL / "vectors" / "child_embed_result.bin"
    assert bytes_of(lines) == golden.read_bytes()
