"""Enrolment: what becomes a print, what is kept, and what is told of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from unit.gallery_voices import (
    CLEAN,
    MODEL,
    Speaker,
    enrol,
    identify,
    kinds,
    opened,
    verify,
)

from protocol.errors import IncompatibleEmbeddings, InvalidParams, UnknownPerson
from protocol.gallery_params import PeopleParams
from sidecar.people.enrolment import MAX_PRINTS
from sidecar.people.voices import Voice


@pytest.fixture
def gallery():
    opened_one = opened()
    yield opened_one
    opened_one.close()


@pytest.fixture
def anna():
    return Speaker(1)


@pytest.fixture
def bob():
    return Speaker(2)


def prints_of(gallery, person_id):
    return gallery.person(person_id).prints


def test_three_seconds_are_a_print(gallery, anna):
    told = enrol(gallery, "Anna", anna.says(3.0), quality=CLEAN)
    assert (told.name, told.created, told.used, told.prints) == ("Anna", True, True, 1)
    assert (told.progress, told.speech_s, told.needed_s) == (1, 3, 0)
    assert told.agreement is None
    assert told.quality is CLEAN
    assert not told.warnings
    assert identify(gallery, anna.says()).person.name == "Anna"


def test_less_is_kept_until_it_is_enough(gallery, anna):
    first = enrol(gallery, "Anna", anna.says(2.5))
    assert (first.used, first.prints, first.needed_s) == (True, 0, 0.5)
    assert first.progress == pytest.approx(2.5 / 3)
    assert kinds(first) == ["too_little_speech"]
    assert first.warnings[0].details == {"speech_s": 2.5, "needed_s": 0.5}
    assert identify(gallery, anna.says()).matches == ()

    second = enrol(gallery, None, anna.says(1.0), id=first.id)
    assert (second.created, second.prints, second.needed_s) == (False, 1, 0)
    assert second.speech_s == 3.5
    assert second.agreement > 0.6
    (kept,) = prints_of(gallery, first.id)
    assert (kept.audios, kept.speech_s, kept.usable, kept.adapted) == (2, 3.5, True, False)
    assert identify(gallery, anna.says()).person.name == "Anna"


def test_less_than_a_second_is_not_kept(gallery, anna):
    told = enrol(gallery, "Anna", anna.says(0.9))
    assert (told.created, told.used, told.speech_s, told.progress) == (True, False, 0, 0)
    assert kinds(told) == ["too_little_speech"]


def test_an_update_takes_two_seconds(gallery, anna):
    person = enrol(gallery, "Anna", anna.says(4.0)).id
    first = enrol(gallery, None, anna.says(1.5), id=person)
    assert (first.used, first.prints, first.speech_s, first.needed_s) == (True, 1, 5.5, 0)
    assert [kept.speech_s for kept in prints_of(gallery, person)] == [4]
    # What waited and what comes now are enough together.
    enrol(gallery, None, anna.says(1.5), id=person)
    assert [kept.speech_s for kept in prints_of(gallery, person)] == [7]
    enrol(gallery, None, anna.says(2.0), id=person)
    assert [(kept.speech_s, kept.audios) for kept in prints_of(gallery, person)] == [(9, 4)]


def test_too_little_for_an_update_is_told(gallery, anna):
    person = enrol(gallery, "Anna", anna.says(4.0)).id
    told = enrol(gallery, None, anna.says(0.5), id=person)
    assert (told.used, told.needed_s) == (False, 0)
    assert kinds(told) == ["too_little_speech"]


def test_a_print_is_the_mean_weighted_by_speech(gallery, anna):
    voices = [anna.says(3.0), anna.says(9.0)]
    person = enrol(gallery, "Anna", voices[0]).id
    enrol(gallery, None, voices[1], id=person)
    expected = 3 * voices[0].unit + 9 * voices[1].unit
    expected /= np.linalg.norm(expected)
    (kept,) = gallery._records.prints_of(gallery._records.person(person))
    np.testing.assert_allclose(kept.unit, expected, atol=1e-6)
    # Whatever length the embeddings have.
    np.testing.assert_allclose(np.linalg.norm(kept.total), 12, rtol=0.2)


def test_a_name_always_makes_a_new_person(gallery, anna, bob):
    first, second = enrol(gallery, "Anna", anna.says()), enrol(gallery, "Anna", bob.says())
    assert first.id != second.id
    assert [person.name for person in gallery.people(PeopleParams()).people] == ["Anna", "Anna"]


def test_another_name_than_theirs_is_refused(gallery, anna):
    person = enrol(gallery, "Anna", anna.says()).id
    enrol(gallery, "Anna", anna.says(), id=person)
    with pytest.raises(InvalidParams, match="rename_person"):
        enrol(gallery, "Hanna", anna.says(), id=person)
    assert prints_of(gallery, person)[0].audios == 2
    with pytest.raises(UnknownPerson):
        enrol(gallery, None, anna.says(), id="nobody")


def test_what_sounds_unlike_is_a_print_of_its_own(gallery, anna):
    """A headset, a cold: the person's voice all the same, so the host says."""
    person = enrol(gallery, "Anna", anna.says()).id
    told = enrol(gallery, None, Speaker(3).says(), id=person)
    assert (told.used, told.prints, kinds(told)) == (True, 2, ["differs"])
    assert told.agreement < 0.35
    assert identify(gallery, Speaker(3).says()).person.id == person
    assert identify(gallery, anna.says()).person.id == person


def test_a_person_has_only_so_many_prints(gallery):
    person = enrol(gallery, "Anna", Speaker(100).says()).id
    for seed in range(101, 100 + MAX_PRINTS):
        enrol(gallery, None, Speaker(seed).says(), id=person)
    told = enrol(gallery, None, Speaker(200).says(), id=person)
    assert (told.used, told.prints, kinds(told)) == (False, MAX_PRINTS, ["differs"])
    assert "left out" in told.warnings[0].message


def test_what_waits_is_bounded(gallery, anna):
    person = enrol(gallery, "Anna", anna.says()).id
    for seed in range(100, 130):
        enrol(gallery, None, Speaker(seed).says(1.0), id=person)
    assert gallery.person(person).person.speech_s == 5 + MAX_PRINTS


def test_one_that_is_not_like_the_others_is_left_out(gallery, anna, bob):
    voices = [anna.says(2), anna.says(0.5), anna.says(2), bob.says(4), anna.says(1)]
    told = enrol(gallery, "Anna", *voices)
    assert (told.speech_s, told.prints) == (5, 1)
    assert [warning.details for warning in told.warnings] == [{"index": 3}]
    assert kinds(told) == ["outlier"]
    assert told.agreement > 0.6


def test_of_two_that_differ_neither_is_an_outlier(gallery, anna, bob):
    told = enrol(gallery, "Anna", anna.says(), bob.says())
    assert (told.prints, kinds(told)) == (2, ["differs"])
    assert told.agreement < 0.35


def test_two_channels_are_no_outliers(gallery, anna, bob):
    voices = [anna.says(), bob.says(), anna.says(), bob.says()]
    told = enrol(gallery, "Anna", *voices)
    assert (told.prints, kinds(told)) == (2, ["differs"])


def test_somebody_who_is_there_already_is_named(gallery, anna, bob):
    person = enrol(gallery, "Anna", anna.says()).id
    assert not enrol(gallery, "Bob", bob.says()).warnings
    told = enrol(gallery, "Carla", anna.says())
    assert kinds(told) == ["sounds_like"]
    assert told.warnings[0].details == {"id": person, "name": "Anna"}
    # More of the same person is not like somebody else.
    assert not enrol(opened(), "Anna", anna.says(), anna.says()).warnings


def test_once_it_is_kept_nothing_can_fail_any_more(gallery, anna):
    enrol(gallery, "Anna", anna.says())
    statements = []
    gallery._file.connection.set_trace_callback(statements.append)
    assert kinds(enrol(gallery, "Carla", anna.says())) == ["sounds_like"]
    assert statements[-1] == "COMMIT"


def test_a_poor_recording_is_told(gallery, anna):
    poor = dataclasses.replace(CLEAN, flags=("clipped", "little_speech", "noisy"))
    told = enrol(gallery, "Anna", anna.says(), quality=poor)
    assert told.warnings[0].details == {"flags": ["clipped", "noisy"]}
    assert kinds(told) == ["poor_quality"]


def test_an_embedding_of_another_model_is_refused(gallery, anna):
    with pytest.raises(IncompatibleEmbeddings) as refused:
        enrol(gallery, "Anna", anna.says(model="other"))
    assert refused.value.details == {"a": "other", "b": MODEL}
    assert not gallery.people(PeopleParams()).people


@pytest.mark.parametrize(
    "embedding", [np.zeros(192), np.full(192, np.nan), np.full(192, np.inf)], ids=str
)
def test_what_is_no_voice_is_refused(gallery, embedding):
    with pytest.raises(InvalidParams):
        enrol(gallery, "Nobody", Voice(embedding.astype(np.float32), 5.0, MODEL))


@pytest.mark.parametrize("size", [3e38, 1e-44])
def test_of_a_voice_of_any_length_the_direction_counts(gallery, anna, size):
    person = enrol(gallery, "Anna", anna.says()).id
    signs = np.sign(anna.direction).astype(np.float32)
    signs *= np.float32(size)
    assert verify(gallery, person, Voice(signs, 5.0, MODEL)).cosine == pytest.approx(
        verify(gallery, person, Voice(np.sign(signs), 5.0, MODEL)).cosine, abs=1e-4
    )


def test_another_dim_is_refused(gallery, anna):
    with pytest.raises(InvalidParams, match=r"4 numbers.*192"):
        enrol(gallery, "the first one", Speaker(2, dim=4).says())
    enrol(gallery, "Anna", anna.says())
    with pytest.raises(InvalidParams, match=r"4 numbers.*192"):
        enrol(gallery, "Bob", Speaker(2, dim=4).says())
    with pytest.raises(InvalidParams, match=r"4 numbers.*192"):
        enrol(opened(), "Bob", Speaker(1).says(), Speaker(2, dim=4).says())
    with pytest.raises(InvalidParams, match=r"4 numbers.*192"):
        identify(gallery, Speaker(2, dim=4).says())


def test_an_enrolment_must_know_how_much_speech_there_is(gallery, anna):
    with pytest.raises(InvalidParams, match="speech auto"):
        enrol(gallery, "Anna", anna.says(None))


def test_what_is_enrolled_survives_the_process(anna, bob, tmp_path):
    first = opened(tmp_path / "people.db")
    person = enrol(first, "Änne 安娜", anna.says()).id
    enrol(first, "Bob", bob.says(1.5))
    first.close()
    second = opened(tmp_path / "people.db")
    assert [one.name for one in second.people(PeopleParams()).people] == ["Änne 安娜", "Bob"]
    assert identify(second, anna.says()).person.id == person
    second.close()


def test_people_are_told_page_by_page(gallery, anna, monkeypatch):
    monkeypatch.setattr("sidecar.people.registry.PAGE_PEOPLE", 3)
    names = [enrol(gallery, f"person {number}", anna.says()).name for number in range(8)]
    told, after = [], None
    while True:
        page = gallery.people(PeopleParams(after))
        assert len(page.people) <= 3
        told += [person.name for person in page.people]
        after = page.next
        if after is None:
            break
    assert told == names
    with pytest.raises(InvalidParams, match="next"):
        gallery.people(PeopleParams("first"))


def test_times_are_utc(anna):
    times = iter([1_700_000_000.5, 1_700_000_060.0])
    gallery = opened(now=lambda: next(times))
    person = enrol(gallery, "Anna", anna.says()).id
    enrol(gallery, None, anna.says(), id=person)
    report = gallery.person(person)
    assert report.person.created_at == "2023-11-14T22:13:20.500Z"
    assert report.person.updated_at == "2023-11-14T22:14:20.000Z"
    assert report.prints[0].updated_at == "2023-11-14T22:14:20.000Z"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_enrolled_stays_within_bounds(gallery, seed):
    """Voices of some speakers and of any length, as one person's."""
    chance = np.random.default_rng(seed)
    speakers = [Speaker(number) for number in range(14)]
    person = enrol(gallery, "Anna", speakers[0].says(1.0)).id
    for _ in range(150):
        told = enrol(
            gallery,
            None,
            *(
                speakers[chance.integers(14)].says(float(chance.uniform(0.5, 3.5)), away=0.9)
                for _ in range(chance.integers(1, 4))
            ),
            id=person,
        )
        kept = gallery._records.prints_of(gallery._records.person(person))
        complete = [one.speech_s for one in kept if one.is_complete]
        assert len(complete) <= MAX_PRINTS
        assert len(kept) - len(complete) <= MAX_PRINTS
        assert told.prints == len(complete)
        assert told.speech_s == pytest.approx(sum(one.speech_s for one in kept))
        assert told.needed_s == max(0, 3 - max(one.speech_s for one in kept))
        assert all(np.linalg.norm(one.total) <= 1.001 * one.speech_s for one in kept)
    assert len(complete) == MAX_PRINTS
