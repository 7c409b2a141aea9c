"""Enrolling the voices of a conversation, and having its other turns named, by a played gallery."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.heard_turns import TWO_PEOPLE, converse, hear

from protocol.gallery_params import EnrollParams, IdentifyParams
from protocol.messages import Failure
from protocol.params import PathAudio
from protocol.python import RemoteError
from sidecar.tools.naming import name_turns

RECORDING = Path("/a.wav")


class PlayedGallery:
    """Knows a voice from ``NEEDED_S`` on. The audio from ``start_s`` is of ``voice_at[start_s]``.

    ``mistaken`` has what is said of the audio from a second on, ``speech_s`` how much speech there
    is in it, ``failures`` the code that it is refused with.
    """

    NEEDED_S = 3.0

    def __init__(self, conversation, *, speech_s=None, mistaken=None, failures=None):
        self.asked = []
        starts = [one.turn.start_s for one in conversation.heard]
        self._voice_at = dict(zip(starts, conversation.voices, strict=True))
        self._speech_s, self._mistaken = speech_s or {}, mistaken or {}
        self._failures = failures or {}
        self._speech_of = {}

    def __call__(self, params):
        self.asked.append(params)
        start_s = params.audio.start_s
        speech_s = self._speech_s.get(start_s, params.audio.end_s - start_s)
        code = self._failures.get(start_s, -32010 if speech_s < 0.5 else None)
        if code is not None:
            raise RemoteError(Failure(1, code, f"refused at {start_s:g} s", {"kind": "k"}))
        if isinstance(params, EnrollParams):
            return self._enroll(params, speech_s)
        return self._identify(self._mistaken.get(start_s, self._voice_at[start_s]))

    def _enroll(self, params, speech_s):
        assert (params.name is None) != (params.id is None)
        person = params.id or f"p-{params.name}"
        used = speech_s >= 1
        self._speech_of[person] = self._speech_of.get(person, 0) + speech_s * used
        total_s = self._speech_of[person]
        return {
            "id": person,
            "used": used,
            "speech_s": total_s,
            "needed_s": max(0.0, self.NEEDED_S - total_s),
        }

    def _identify(self, voice):
        known = [p for p, speech_s in self._speech_of.items() if speech_s >= self.NEEDED_S]
        person = None if voice is None else f"p-{'ABC'[voice]}"
        found = person if person in known else None
        matches = [{"id": p, "probability": 0.9 if p == found else 0.01} for p in known]
        return {"person": found and {"id": found, "name": found[2:]}, "matches": matches}


def named(naming):
    return [(one.turn.number, one.found, one.is_right) for one in naming.named]


def test_voices_are_enrolled_from_their_first_turns_and_the_others_named():
    conversation = converse(TWO_PEOPLE)
    gallery = PlayedGallery(conversation)
    naming = name_turns(conversation, RECORDING, gallery)
    enrolments = [(p.name, p.id, p.audio.start_s) for p in gallery.asked[:4]]
    assert enrolments == [("A", None, 0), (None, "p-A", 4), ("B", None, 2), (None, "p-B", 6)]
    assert gallery.asked[4:] == [IdentifyParams(PathAudio(str(RECORDING), 8.0, 10.0), top=2)]
    assert named(naming) == [(5, 0, True)]
    assert naming.named[0].probability == 0.9
    assert [one.speech_s for one in naming.enrolled] == [4, 4]
    assert naming.is_right


def test_one_turn_is_enough_where_it_is_long():
    conversation = converse(hear((0, "a"), (90, "b"), (0, "a"), (90, "b"), length_s=4.0))
    naming = name_turns(conversation, RECORDING, PlayedGallery(conversation))
    assert [one.turns for one in naming.enrolled] == [[0], [1]]
    assert named(naming) == [(3, 0, True), (4, 1, True)]


def test_turns_with_too_little_speech_are_not_learnt_from_and_not_lost():
    conversation = converse(hear((0, "a"), (90, "b"), (0, "a"), (90, "b"), length_s=4.0))
    gallery = PlayedGallery(conversation, speech_s={0: 0.2, 4: 0.75})
    naming = name_turns(conversation, RECORDING, gallery)
    assert [one.turns for one in naming.enrolled] == [[2], [3]]
    assert [p.name for p in gallery.asked[:4]] == ["A", "A", "B", "B"], "nobody is there yet"
    assert naming.named[0].refused == "refused at 0 s"
    assert named(naming) == [(1, None, False), (2, 1, True)]
    assert not naming.is_right, "the first turn is long, and was not named"


def test_a_mistake_is_wrong():
    conversation = converse(hear((0, "a"), (90, "b"), (0, "a"), (90, "b"), length_s=4.0))
    gallery = PlayedGallery(conversation, mistaken={8: 1, 12: None})
    naming = name_turns(conversation, RECORDING, gallery)
    assert named(naming) == [(3, 1, False), (4, None, False)]
    assert naming.named[1].probability == pytest.approx(0.98), "of nobody"
    assert not naming.is_right


def test_a_voice_of_too_little_speech_is_unknown_and_that_is_right():
    conversation = converse(hear((0, "a"), (0, "a"), (90, "b")))
    gallery = PlayedGallery(conversation, speech_s={4: 0.9})
    naming = name_turns(conversation, RECORDING, gallery)
    [a, b] = naming.enrolled
    assert (a.has_print, b.has_print, b.needed_s) == (True, False, 3)
    assert named(naming) == [(3, None, True)]
    assert not naming.is_right, "not all voices were enrolled"


def test_a_sidecar_without_calibration_does_not_say_how_sure_it_is():
    conversation = converse(hear((0, "a"), (0, "a"), (0, "a")))
    gallery = PlayedGallery(conversation)

    def ask(params):
        answer = gallery(params)
        if isinstance(params, IdentifyParams):
            bare = [{**match, "probability": None} for match in answer["matches"]]
            return {"person": None, "matches": bare}
        return answer

    [one] = name_turns(conversation, RECORDING, ask).named
    assert (one.found, one.probability) == (None, None)


@pytest.mark.parametrize("start_s", [0, 8])
def test_a_failure_of_the_sidecars_own_ends_it(start_s):
    conversation = converse(TWO_PEOPLE)
    gallery = PlayedGallery(conversation, failures={start_s: -32011})
    naming = name_turns(conversation, RECORDING, gallery)
    assert naming.failure == f"refused at {start_s} s"
    assert naming.named == []
    assert gallery.asked[-1].audio.start_s == start_s
    assert not naming.is_right
