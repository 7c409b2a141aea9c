"""How turns are followed from view to view, whose they are, and what they are called at last."""

from __future__ import annotations

import numpy as np
import pytest

from protocol.gallery_reports import PersonName
from sidecar.diarization.chunks import Chunk
from sidecar.diarization.live_labels import labels_in_hindsight
from sidecar.diarization.live_speakers import NEW, Clues, HeardVoice, LiveSpeaker, who
from sidecar.diarization.live_tracking import Tracker, n_frames
from sidecar.diarization.live_turns import EmbeddedVoice, Named, SeenTurn, ToldTurns
from sidecar.diarization.timeline import Turn

MOST_APART = 0.57
HOP = 15


def view(end, *stretches, first_frame=0):
    """A chunk in which these speakers speak, from a second to a second."""
    speaks = np.zeros((589, 3), bool)
    for speaker, start_s, end_s in stretches:
        speaks[n_frames(start_s) - first_frame : n_frames(end_s) - first_frame, speaker] = True
    speaks[end - first_frame :] = False
    return Chunk(first_frame, np.where(speaks, 255, 0).astype(np.uint8), speaks)


def follow(stretches_of, until_s, *, is_speech=True):
    """The turns, after views every quarter of a second; each ``stretches_of(s)``."""
    tracker, turns = Tracker(), {}
    for end in range(HOP, n_frames(until_s), HOP):
        seen = view(end, *stretches_of(end / n_frames(1)))
        for turn in tracker.follow(seen, end, lambda _start, _end: is_speech):
            turns[turn.number] = turn
    return list(turns.values())


def test_a_turn_is_followed_whatever_its_speaker_is_called():
    """The network numbers the speakers otherwise in each view."""
    turns = follow(lambda now: [(round(now * 4) % 3, 1, 4)], 6)
    assert [(turn.start, turn.end, turn.is_final) for turn in turns] == [
        (n_frames(1), n_frames(4), True)
    ]


def test_a_short_pause_is_part_of_a_turn_and_a_longer_one_ends_it():
    assert len(follow(lambda now: [(0, 1, 2), (0, 2.15, 4)], 6)) == 1
    for begins_s in (2.22, 2.6):
        first, second = follow(lambda now, s=begins_s: [(0, 1, 2), (0, s, 4)], 6)
        assert first.end == n_frames(2)
        assert second.start == n_frames(begins_s)
        assert second.linked == (0,)
        assert second.unlike == ()


def test_what_the_network_takes_back_was_nobody():
    turns = follow(lambda now: [(0, 1, 3)] if now < 1.5 else [], 4)
    [turn] = turns
    assert turn.is_final
    assert turn.start == turn.end


def test_a_turn_that_was_told_is_not_told_again():
    """The network sees one turn in hindsight, where it had seen two."""
    turns = follow(
        lambda now: [(0, 1, 2), (1, 2.5, 5)] if now < 3.5 else [(2, 1, 5)],
        7,
    )
    first, second = turns
    assert (first.start, first.end) == (n_frames(1), n_frames(2))
    assert second.start >= first.end
    assert second.end == n_frames(5)


def test_a_change_of_speakers_is_one():
    first, second = follow(lambda now: [(0, 1, 3), (1, 3, 5)], 7)
    assert (first.end, second.start) == (n_frames(3), n_frames(3))
    assert second.unlike == (0,)
    assert second.linked == ()


def test_nobody_is_followed_where_there_is_no_speech():
    assert follow(lambda now: [(0, 1, 3)], 5, is_speech=False) == []


def unit_of(cosine, towards=0):
    """A voice with this cosine to that of ``towards``, and none to others below 8."""
    voice = np.zeros(16, np.float32)
    voice[towards], voice[8] = cosine, np.sqrt(1 - cosine**2)
    return voice


def speaker(number, person=None):
    return LiveSpeaker(
        f"S{number + 1}", HeardVoice(np.eye(16, dtype=np.float32)[number], 10), person
    )


def clues(cosine, speech_s, person=None, linked=(), unlike=()):
    return Clues(HeardVoice(unit_of(cosine), speech_s), person, set(linked), set(unlike))


@pytest.mark.parametrize(
    ("cosine", "speech_s", "answer"),
    [(0.4, 0.5, "S1"), (0.2, 0.5, None), (0.5, 1.0, "S1"), (0.35, 1.0, NEW), (0.4, 3.0, NEW)],
)
def test_the_longer_a_voice_the_more_alike_it_has_to_be(cosine, speech_s, answer):
    assert who(clues(cosine, speech_s), [speaker(0), speaker(1)], MOST_APART) == answer


def test_the_network_and_the_gallery_tip_the_scales():
    two = [speaker(0, "ada"), speaker(1)]
    assert who(clues(0.3, 0.5, linked=["S1"]), two, MOST_APART) == "S1"
    assert who(clues(0.34, 0.5, unlike=["S1"]), two, MOST_APART) is None
    assert who(clues(0.29, 1.0, person="ada"), two, MOST_APART) == "S1"
    # Whom the gallery knows, and nobody here is, is new at once.
    assert who(clues(0.2, 0.5, person="carol"), two, MOST_APART) == NEW


def test_the_network_alone_says_who_has_spoken_but_not_who_begins_to():
    two = [speaker(0), speaker(1)]
    unclear = HeardVoice(unit_of(0.1), 0.4)
    for voice in (None, unclear):
        assert who(Clues(voice, None, {"S2"}, set()), two, MOST_APART) is None
        assert who(Clues(voice, None, {"S2"}, set(), is_over=True), two, MOST_APART) == "S2"
        assert who(Clues(voice, None, {"S1", "S2"}, set(), is_over=True), two, MOST_APART) is None


class Talk:
    """What is told of one turn, which begins at second 0; its speaker's voice is number 0."""

    def __init__(self):
        self.told = ToldTurns(MOST_APART, [speaker(0), speaker(1)])
        self.over = self.told.embedded(EmbeddedVoice(0, 0.0, 1.0, is_first=True), unit_of(0.9))

    def hear(self, voice, start_s, speech_s=0.4):
        self.over += self.told.embedded(EmbeddedVoice(0, start_s, speech_s, is_first=False), voice)
        return self

    def say(self, end_s=None, *, is_final=False):
        return self.told.tell(SeenTurn(0, 0.0, end_s, is_final), None)


def test_a_short_piece_that_is_somebody_elses_casts_doubt_and_the_next_one_decides():
    talk = Talk()
    assert talk.say().label == "S1"
    assert talk.hear(unit_of(0.9, 1), 1.0).say().label is None
    assert talk.over == []
    # It goes on: what was doubted is the other one's, too.
    now = talk.hear(unit_of(0.9, 1), 1.4).say()
    [before] = talk.over
    assert (before.turn, before.start_s, before.end_s, before.label) == (0, 0.0, 1.0, "S1")
    assert before.final
    assert (now.turn, now.start_s, now.label) == (1, 1.0, "S2")


def test_a_doubt_that_is_not_confirmed_is_forgotten():
    talk = Talk()
    talk.say()
    unlike, another = unit_of(1, 5), unit_of(1, 6)
    assert talk.hear(unlike, 1.0).say().label is None
    assert talk.hear(unit_of(0.9), 1.4).say().label == "S1"
    # The next one is on its own again.
    assert talk.hear(another, 1.8).say().label is None
    # At the end of a turn a doubt is too little.
    last = talk.say(2.2, is_final=True)
    assert (last.turn, last.label, last.final) == (0, "S1", True)
    assert talk.over == []


@pytest.mark.parametrize("person", [None, "ada"])
def test_of_two_who_speak_at_once_the_second_is_not_taken_for_the_first(person):
    """What is embedded of the second one has the first one in it."""
    told = ToldTurns(MOST_APART, [speaker(0, person), speaker(1)])
    named = Named(PersonName("ada", "Ada"), 5.0, 0.99)
    beside = SeenTurn(1, 1.0, None, is_final=False, unlike=(0,))

    def say(seen, voice, *, is_mixed=False):
        told.embedded(EmbeddedVoice(seen.number, 0.0, 1.0, True, is_mixed), voice)
        now = told.tell(seen, lambda voice, _: named if person and voice[0] > 0.4 else None)
        return now.label, now.named

    assert say(SeenTurn(0, 0.0, None, is_final=False), unit_of(0.9))[0] == "S1"
    assert say(beside, unit_of(0.8), is_mixed=True) == (None, None)
    assert say(beside, unit_of(0.8, 1), is_mixed=True) == ("S2", None)
    # Once they were heard alone it counts what is heard, whomever the network takes them for.
    assert say(beside, unit_of(0.8))[0] == "S1"


def test_a_longer_piece_decides_at_once():
    talk = Talk()
    talk.say()
    assert talk.hear(unit_of(0.9, 5), 1.0, 0.7).say().turn == 1
    assert [turn.label for turn in talk.over] == ["S1"]


def test_two_who_are_new_at_the_same_time_have_two_labels():
    told = ToldTurns(MOST_APART, [speaker(4)])
    for number in (0, 1):
        heard = EmbeddedVoice(number, 0.0, 2.0, is_first=True)
        assert told.embedded(heard, np.eye(16, dtype=np.float32)[number]) == []
    seen = [SeenTurn(number, 0.0, None, is_final=False) for number in (0, 1)]
    assert [told.tell(one, None).label for one in seen] == ["S1", "S2"]
    # S5 is known. Nothing is told twice.
    assert [told.tell(one, None) for one in seen] == [None, None]


def test_labels_at_the_close():
    """S1 and S3 are one person; S9 was known, and did not speak; one more is found in hindsight."""
    finals = [(0, 4, "S1"), (5, 6, "S2"), (7, 9, "S3"), (20, 20.5, "S4")]
    turns = [Turn(*times, person, False) for *times, person in [(0, 4.5, 2), (5, 6, 1), (7, 9, 2)]]
    turns.append(Turn(10, 12, 0, False))
    assert labels_in_hindsight(finals, turns, ["S9"]) == {
        2: ("S1", ("S3",)),
        1: ("S2", ()),
        0: ("S5", ()),
    }
