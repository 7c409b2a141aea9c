from __future__ import annotations

import pytest

from protocol.diarization import DiarizeParams
from protocol.gallery_params import EnrollParams, IdentifyParams, PeopleParams, VerifyParams
from protocol.methods import audios_of
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedWindowsParams,
    FileAudio,
    PathAudio,
    ScoreParams,
    SpeechParams,
    StoredEmbedding,
)

ONE, OTHER = PathAudio("/a.wav"), FileAudio(b"RIFF")
STORED = StoredEmbedding(b"0123", "model")


@pytest.mark.parametrize(
    ("params", "audios"),
    [
        (EmbedParams(ONE), (ONE,)),
        (EmbedWindowsParams(ONE, 2.0, 1.0), (ONE,)),
        (EmbedBatchParams((ONE, OTHER)), (ONE, OTHER)),
        (ScoreParams(OTHER, ONE), (OTHER, ONE)),
        (ScoreParams(STORED, ONE), (ONE,)),
        (ScoreParams(STORED, STORED), ()),
        (SpeechParams(ONE), (ONE,)),
        (DiarizeParams(ONE), (ONE,)),
        (EnrollParams(name="Ada", audio=ONE), (ONE,)),
        (EnrollParams(name="Ada", embeddings=(STORED,)), ()),
        (VerifyParams("p-1", ONE), (ONE,)),
        (VerifyParams("p-1", STORED), ()),
        (IdentifyParams(ONE), (ONE,)),
        (IdentifyParams(STORED), ()),
        (PeopleParams(), ()),
    ],
)
def test_the_audios_of_a_request_come_in_its_order(params, audios):
    assert audios_of(params) == audios
