"""The requests of 1.2 on their way to the child, and what of them an older child is not sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InvalidParams
from protocol.fields import Fields
from protocol.gallery_params import (
    EnrollParams,
    ExportPeopleParams,
    ForgetPersonParams,
    IdentifyParams,
    ImportPeopleParams,
    PeopleParams,
    PersonParams,
    RenamePersonParams,
    VerifyParams,
)
from protocol.messages import Request, decode_from_host, encode_request
from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    FileAudio,
    ScoreParams,
    SpeechParams,
    StoredEmbedding,
)
from protocol.wire_gallery import read_name
from protocol.wire_params import write_params

FILE = FileAudio(b"file")
STORED = StoredEmbedding(bytes(16), "f")

audio = st.builds(FileAudio, st.binary())
embedding = st.binary(min_size=16, max_size=16)
seconds = st.floats(0, 1e6)
stored = st.builds(StoredEmbedding, embedding, st.text(), st.none() | seconds)
enrolled = st.lists(st.builds(StoredEmbedding, embedding, st.text(), seconds), min_size=1)
deadline = st.none() | st.floats(0, 1e9)
use = st.sampled_from(["auto", "all", "require"])
share = st.floats(0, 1, exclude_min=True, exclude_max=True)
point = st.one_of(
    st.tuples(st.none(), st.none()), st.tuples(share, st.none()), st.tuples(st.none(), share)
)
name = st.text("Zoë Müller", min_size=1, max_size=20).filter(lambda text: text == text.strip())
person = st.text(min_size=1, max_size=16)


@st.composite
def enrolment(draw):
    whose = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    named, known = (
        draw(one) if given else None for one, given in zip((name, person), whose, strict=True)
    )
    if draw(st.booleans()):
        return EnrollParams(named, known, draw(audio), speech=draw(use), deadline_ms=draw(deadline))
    embeddings = tuple(draw(enrolled))
    return EnrollParams(named, known, embeddings=embeddings, deadline_ms=draw(deadline))


params = st.one_of(
    st.builds(SpeechParams, audio, deadline),
    st.builds(EmbedParams, audio, st.booleans(), deadline, use),
    st.builds(
        EmbedBatchParams,
        st.lists(audio, min_size=1, max_size=3).map(tuple),
        st.booleans(),
        deadline,
        st.booleans(),
        use,
    ),
    st.builds(lambda a, b, u, at: ScoreParams(a, b, u, *at), audio | stored, stored, use, point),
    enrolment(),
    st.builds(PeopleParams, st.none() | person),
    st.builds(PersonParams, person),
    st.builds(RenamePersonParams, person, name),
    st.builds(ForgetPersonParams, person, st.none() | person),
    st.builds(
        lambda i, a, u, at, d: VerifyParams(i, a, u, *at, d),
        *(person, audio | stored, use, point, deadline),
    ),
    st.builds(
        lambda a, top, u, at, adapt, d: IdentifyParams(a, top, u, *at, adapt, d),
        *(audio | stored, st.integers(1, 1000), use, point, st.booleans(), deadline),
    ),
    st.builds(ExportPeopleParams, st.lists(person).map(tuple), st.none() | person),
    st.builds(ImportPeopleParams, st.binary(), st.booleans()),
)


@given(params)
def test_a_request_is_read_as_it_was_written(asked):
    assert decode_from_host(encode_request(7, asked)) == Request(7, asked)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (EmbedParams(FILE), {"audio", "normalize"}),
        (EmbedBatchParams((FILE,)), {"items", "normalize"}),
        (ScoreParams(STORED, STORED), {"a", "b"}),
    ],
)
def test_an_older_child_is_sent_nothing_that_it_does_not_know(asked, fields):
    assert write_params(asked).keys() == fields


def test_nor_is_it_told_of_speech_that_is_not_known():
    assert write_params(ScoreParams(STORED, STORED))["a"].keys() == {"embedding", "fingerprint"}
    known = StoredEmbedding(bytes(16), "f", 0.0)
    assert write_params(ScoreParams(known, STORED))["a"]["speech_s"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "山田\u3000太郎",  # an ideographic space
        "\u0646\u06cc\u200c\u0634",  # a zero-width non-joiner, as Persian has it
        "ක්\u200dරිස්",  # a zero-width joiner, as Sinhala has it
        "Jean\u00a0Luc",
        "👩\u200d🔬",
        "\U0003134f",  # which older versions of Unicode do not know
        "m" * 256,
    ],
)
def test_people_are_called_what_they_are_called(text):
    assert read_name(Fields({"name": f" {text}\u3000"}, "params")) == text


@pytest.mark.parametrize(
    "text",
    ["", " \u3000", "a\nb", "a\x00b", "a\x1b[31mb", "a\x85b", "a\u2028b", "a\u2029b", "m" * 257],
)
def test_a_name_is_one_line(text):
    with pytest.raises(InvalidParams, match="one line"):
        read_name(Fields({"name": text}, "params"))
