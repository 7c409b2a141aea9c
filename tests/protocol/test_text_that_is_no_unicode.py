"""Names of folders on Linux may be any bytes: what becomes of them in messages."""

from __future__ import annotations

import pytest

from protocol.errors import ModelUnavailable
from protocol.messages import (
    decode_from_child,
    decode_from_host,
    encode_error,
    encode_request,
    encode_result,
)
from protocol.params import EmbedParams, PathAudio, PcmAudio
from protocol.payload import unpack

HALF_A_PAIR = "/home/\udcff/models"  # what Python makes of a folder's name that is no UTF-8


def test_what_the_child_tells_survives_text_that_is_no_unicode():
    error = ModelUnavailable(f"{HALF_A_PAIR} cannot be read", path=HALF_A_PAIR)
    answer = decode_from_child(encode_error(1, error))
    assert answer.message == r"/home/\udcff/models cannot be read"
    assert answer.data["path"] == r"/home/\udcff/models"
    result = decode_from_child(encode_result(1, {"source": HALF_A_PAIR}))
    assert result.result == {"source": r"/home/\udcff/models"}


def test_the_bytes_of_a_path_that_a_host_sends_come_as_they_are():
    for path, sent in [("/gr\u00fcn", "/gr\u00fcn"), (HALF_A_PAIR, b"/home/\xff/models")]:
        payload = encode_request(1, EmbedParams(PathAudio(path)))
        assert unpack(payload)["params"]["audio"]["path"] == sent
        assert decode_from_host(payload).params.audio.path == path
    # As a host has it whose locale is not UTF-8.
    payload = encode_request(1, EmbedParams(PathAudio("/gr\udcc3\udcbcn")))
    assert decode_from_host(payload).params.audio.path == "/gr\u00fcn"


@pytest.mark.parametrize(
    "params", [EmbedParams(PathAudio("/\ud83d")), EmbedParams(PcmAudio(b"", "\udcff", 8000, 1))]
)
def test_other_text_that_a_host_sends_is_not_changed_in_silence(params):
    with pytest.raises(UnicodeEncodeError):
        encode_request(1, params)
