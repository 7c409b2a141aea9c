"""identify with ``adapt``: what is added, what never is, and how far it can lead."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from unit.gallery_voices import CLEAN, MODEL, Speaker, enrol, identify, opened, verify

from protocol.errors import UnknownPerson
from sidecar.people.adaptation import MOST_S, PAUSE_S
from sidecar.people.voices import Voice


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        self.now += PAUSE_S + 1
        return self.now


@pytest.fixture
def gallery():
    opened_one = opened(now=Clock())
    yield opened_one
    opened_one.close()


@pytest.fixture
def anna():
    return Speaker(1)


def adapt(gallery, voice, quality=CLEAN, **params):
    return identify(gallery, voice, quality, adapt=True, **params)


def voice_of(direction, speech_s=5.0):
    return Voice(np.asarray(direction, np.float32), speech_s, MODEL)


def prints_of(gallery, person):
    return {kept.id: kept for kept in gallery.person(person).prints}


def test_what_is_surely_theirs_is_added_to_a_print_of_its_own(gallery, anna):
    person = enrol(gallery, "Anna", anna.says(20.0)).id
    (enrolled,) = prints_of(gallery, person).values()
    told = adapt(gallery, anna.says(4.0))
    assert told.person.id == person
    adapted = prints_of(gallery, person)[told.adapted]
    assert (adapted.adapted, adapted.audios, adapted.speech_s) == (True, 1, 4)
    assert adapted.updated_at > enrolled.updated_at
    assert adapt(gallery, anna.says(4.0)).adapted == told.adapted
    assert prints_of(gallery, person)[told.adapted].audios == 2
    # What was enrolled is as it was, and so is what is told of it.
    assert prints_of(gallery, person)[enrolled.id] == enrolled
    assert gallery.person(person).person.speech_s == 20
    # The way back.
    gallery.forget(person, told.adapted)
    assert list(prints_of(gallery, person)) == [enrolled.id]


def test_it_is_off_unless_asked_for(gallery, anna):
    person = enrol(gallery, "Anna", anna.says(20.0)).id
    assert identify(gallery, anna.says(), CLEAN).adapted is None
    assert len(prints_of(gallery, person)) == 1


@pytest.mark.parametrize("flag", ["quiet", "clipped", "narrow_band", "noisy", "opposite_phase"])
def test_a_poor_recording_is_never_added(gallery, anna, flag):
    enrol(gallery, "Anna", anna.says(20.0))
    poor = dataclasses.replace(CLEAN, flags=(flag,))
    told = adapt(gallery, anna.says(), poor)
    assert told.decision == "known"
    assert told.adapted is None


def test_an_embedding_of_unknown_quality_is_never_added(gallery, anna):
    enrol(gallery, "Anna", anna.says(20.0))
    assert adapt(gallery, anna.says(), None).adapted is None


def test_little_speech_is_never_added(gallery, anna):
    enrol(gallery, "Anna", anna.says(20.0))
    assert adapt(gallery, anna.says(1.9)).adapted is None
    assert adapt(gallery, anna.says(2.0)).adapted is not None


def test_what_is_barely_known_is_never_added(gallery, anna):
    """Between the threshold and that for a tenth of the strangers."""
    person = enrol(gallery, "Anna", anna.says(20.0)).id
    unit = gallery._records.prints_of(gallery._records.person(person))[0].unit
    beside = np.random.default_rng(5).standard_normal(len(unit))
    beside -= (beside @ unit) * unit
    beside /= np.linalg.norm(beside)
    # The made calibration's thresholds: ln(100) / 4, and ln(1000) / 4.
    least, sure = (0.4 + np.log(strangers) / 4 / 30 for strangers in (100, 1000))
    outcomes = []
    for cosine in (least - 0.002, least + 0.002, sure - 0.002, sure + 0.002):
        told = adapt(gallery, voice_of(cosine * unit + np.sqrt(1 - cosine**2) * beside))
        outcomes.append((told.decision, told.adapted is not None))
    assert outcomes == [
        ("unknown", False),
        ("known", False),
        ("known", False),
        ("known", True),
    ]


def test_what_could_be_two_people_is_never_added(gallery, anna):
    enrol(gallery, "Anna", anna.says(20.0, away=0.1))
    enrol(gallery, "Anna's twin", anna.says(20.0, away=0.1))
    told = adapt(gallery, anna.says())
    assert told.decision == "known"
    assert told.adapted is None


def test_once_in_ten_minutes(anna):
    times = iter([0.0, 1000.0, 1000.0 + PAUSE_S - 1, 1000.0 + PAUSE_S, 10.0])
    gallery = opened(now=lambda: next(times))
    enrol(gallery, "Anna", anna.says(20.0))
    told = [adapt(gallery, anna.says()).adapted is not None for _ in range(4)]
    assert told == [True, False, True, True]  # a clock that was put back does not end it
    gallery.close()


@pytest.mark.parametrize("enrolled_s", [3.0, 20.0, 500.0])
def test_it_never_counts_more_than_what_was_enrolled(gallery, anna, enrolled_s):
    person = enrol(gallery, "Anna", anna.says(enrolled_s)).id
    for _ in range(60):
        told = adapt(gallery, anna.says(9.0))
    adapted = prints_of(gallery, person)[told.adapted]
    assert adapted.speech_s == pytest.approx(min(MOST_S, enrolled_s))
    assert adapted.audios == 60
    # Each is a quarter of it at most, so that one audio alone says little.
    assert adapted.usable


def real_speakers(shared):
    kept = np.load(shared / "reference" / "campplus_zh_en.npz")
    speakers = {}
    for name, embedding in zip(kept["names"], kept["embeddings"], strict=True):
        unit = embedding / np.linalg.norm(embedding)
        speakers.setdefault(str(name).split("/")[-1].split("-")[0], []).append(unit)
    return speakers


def test_a_stranger_walks_nobody_away(shared):
    """1,000 audios of others, real voices' embeddings: none is added, and nobody is known by it."""
    speakers = real_speakers(shared)
    for name, each in speakers.items():
        gallery = opened(now=Clock())
        person = enrol(gallery, name, *(voice_of(one, 8.0) for one in each[:3])).id
        assert adapt(gallery, voice_of(each[3])).adapted is not None
        before = prints_of(gallery, person)
        strangers = [one for other, theirs in speakers.items() if other != name for one in theirs]
        for step in range(1000):
            told = adapt(gallery, voice_of(strangers[step % len(strangers)]))
            assert (told.person, told.adapted) == (None, None)
        assert prints_of(gallery, person) == before
        gallery.close()


def test_a_mixture_of_two_voices_leads_only_so_far(shared):
    """1,000 audios, nearer and nearer to a stranger's voice: as far as what was enrolled allows.

    The print is led away, but nobody is known by it who is not like what was enrolled, and the
    person is known as before.
    """
    speakers = real_speakers(shared)
    names = list(speakers)
    for place, name in enumerate(names):
        gallery = opened(now=Clock())
        person = enrol(gallery, name, *(voice_of(one, 8.0) for one in speakers[name][:3])).id
        (enrolled,) = gallery._records.prints_of(gallery._records.person(person))
        stranger = speakers[names[place - 1]]
        goal = np.mean(stranger, axis=0)
        added = []
        for step in range(1000):
            # Again from the beginning where it has arrived.
            share = (step % 50) / 50
            walker = (1 - share) * enrolled.unit + share * goal
            told = adapt(gallery, voice_of(walker))
            if told.adapted is not None:
                added.append(float(walker @ enrolled.unit / np.linalg.norm(walker)))
        assert len(added) > 100
        assert min(added) > 0.4 + np.log(100) / 4 / 30  # the made calibration's threshold
        kept = gallery._records.prints_of(gallery._records.person(person))
        (adapted,) = (one for one in kept if one.adapted)
        assert (kept[0].unit == enrolled.unit).all()
        # It sounds like the stranger by now.
        assert max(float(adapted.unit @ one) for one in stranger) > 0.6
        assert not [one for one in stranger if identify(gallery, voice_of(one)).person]
        assert not [one for one in stranger if verify(gallery, person, voice_of(one)).same]
        assert all(identify(gallery, voice_of(one)).person for one in speakers[name][3:])
        assert all(verify(gallery, person, voice_of(one)).same for one in speakers[name][3:])
        gallery.close()


def test_a_host_that_is_sure_beforehand_makes_nobody_else_the_person(gallery, anna):
    person = enrol(gallery, "Anna", anna.says(9.0)).id
    # More like two people than like one, which the prior outweighs.
    told = adapt(gallery, Speaker(2).says(9.0), prior=1 - 1e-12)
    assert told.person.id == person
    assert told.matches[0].llr < 0
    assert told.adapted is None


def test_without_what_was_enrolled_an_adapted_print_is_nothing(gallery, anna):
    person = enrol(gallery, "Anna", anna.says(20.0)).id
    for _ in range(4):
        adapt(gallery, anna.says())
    (enrolled, adapted) = prints_of(gallery, person).values()
    assert adapted.usable
    gallery.forget(person, enrolled.id)
    told = identify(gallery, anna.says())
    assert (told.decision, told.matches, told.threshold) == ("unknown", (), None)
    with pytest.raises(UnknownPerson):
        verify(gallery, person, anna.says())


def test_a_slow_change_is_followed(shared):
    """A real voice that turns a little with each audio, among 200 people: known for longer.

    It is followed as long as it is more like the person than not by what was enrolled.
    """
    chance = np.random.default_rng(1)
    others = chance.standard_normal((200, 192))
    followed, left_behind = [], []
    for name, each in real_speakers(shared).items():
        reach = {}
        for is_adapting in (True, False):
            gallery = opened(now=Clock())
            for other in others:
                enrol(gallery, "another", voice_of(other))
            enrol(gallery, name, *(voice_of(one, 8.0) for one in each[:3]))
            away = np.random.default_rng(len(name)).standard_normal(192)
            mean = np.mean(each, axis=0)
            away -= (away @ mean) * mean / (mean @ mean)
            away /= np.linalg.norm(away)
            degrees = 0.0
            while degrees < 89:
                turned = each[3 + int(degrees * 7) % 7] + np.tan(np.radians(degrees)) * away
                told = identify(gallery, voice_of(turned), CLEAN, adapt=is_adapting, far=0.001)
                if not told.person:
                    break
                degrees += 0.5
            reach[is_adapting] = degrees
            gallery.close()
        followed.append(reach[True])
        left_behind.append(reach[False])
    assert max(followed) < 75
    assert np.mean(followed) > np.mean(left_behind) + 5
