"""Whom the gallery knows in a stream, before and after the stream knows whose turn it is."""

from __future__ import annotations

import numpy as np

from protocol.gallery_reports import PersonName
from sidecar.diarization.live import Named
from sidecar.diarization.live_speakers import HeardVoice, LiveSpeaker
from sidecar.diarization.live_turns import EmbeddedVoice, SeenTurn, ToldTurns

ADA = Named(PersonName("p-1", "Ada"), 6.5, 0.99)
UNITS = np.eye(16, dtype=np.float32)
MOST_APART = 0.57


def like_the_first(cosine):
    return cosine * UNITS[0] + np.sqrt(1 - cosine**2) * UNITS[1]


def test_a_person_may_be_known_before_the_label_is():
    known = LiveSpeaker("S1", HeardVoice(UNITS[0], 10), "p-1")
    turns = ToldTurns(MOST_APART, [known])
    turns.embedded(EmbeddedVoice(0, 1.0, 0.5, is_first=True), like_the_first(0.1))
    early = turns.tell(SeenTurn(0, 1.0, None, is_final=False), lambda *_: ADA)
    assert (early.label, early.named) == (None, ADA)
    turns.embedded(EmbeddedVoice(0, 1.0, 2.0, is_first=True), like_the_first(0.9))
    later = turns.tell(SeenTurn(0, 1.0, 3.0, is_final=True), lambda *_: ADA)
    assert (later.label, later.named) == ("S1", ADA)


def test_nobody_is_no_person():
    turns = ToldTurns(MOST_APART, [])
    turns.embedded(EmbeddedVoice(0, 1.0, 0.5, is_first=True), UNITS[0])
    assert turns.tell(SeenTurn(0, 1.0, None, is_final=False), lambda *_: ADA).named == ADA
    over = turns.tell(SeenTurn(0, 1.0, 1.0, is_final=True), lambda *_: ADA)
    assert (over.label, over.named) == (None, None)
