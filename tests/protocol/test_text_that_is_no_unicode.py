"""Names of folders on Linux may be any bytes: what becomes of them in messages."""

from __future__ import annotations

import pytest

from protocol.errors import ModelUnavailable
from protocol.messages import decode_from_child, encode_error, encode_request, encode_result
from protocol.params import EmbedParams, PathAudio

HALF_A_PAIR = "/home/\udcff/models"  # what Python makes of a folder's name that is no UTF-8


def test_what_the_child_tells_survives_text_that_is_no_unicode():
    error = ModelUnavailable(f"{HALF_A_PAIR} cannot be read", path=HALF_A_PAIR)
    answer = decode_from_child(encode_error(1, error))
    assert answer.message == r"/home/\udcff/models cannot be read"
    assert answer.data["path"] == r"/home/\udcff/models"
    result = decode_from_child(encode_result(1, {"source": HALF_A_PAIR}))
    assert result.result == {"source": r"/home/\udcff/models"}


def test_what_a_host_asks_for_is_not_changed_in_silence():
    with pytest.raises(UnicodeEncodeError):
        encode_request(1, EmbedParams(PathAudio(HALF_A_PAIR)))
