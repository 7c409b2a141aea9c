"""verify and identify: the most alike print of each person, and what may be said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from unit.gallery_voices import (
    AUDIO,
    CLEAN,
    MODEL,
    PlainCalibration,
    Speaker,
    enrol,
    identify,
    kinds,
    opened,
    verify,
)

from protocol.errors import IncompatibleEmbeddings, SidecarError, UnknownPerson
from protocol.gallery_params import EnrollParams, IdentifyParams
from sidecar.people.print_matrix import PrintMatrix
from sidecar.people.records import PrintColumns


@pytest.fixture
def gallery():
    opened_one = opened()
    yield opened_one
    opened_one.close()


def test_each_is_known_and_strangers_are_not(gallery):
    people = {seed: enrol(gallery, f"person {seed}", Speaker(seed).says()).id for seed in range(30)}
    for seed, person in people.items():
        told = identify(gallery, Speaker(seed).says(), top=3)
        assert (told.decision, told.person.id) == ("known", person)
        assert told.matches[0].id == person
        assert len(told.matches) == 3
        assert told.matches[0].probability > 0.99
        assert sum(match.probability for match in told.matches) <= 1 + 1e-9
        assert [match.cosine for match in told.matches] == sorted(
            (match.cosine for match in told.matches), reverse=True
        )
        assert told.matches[0].llr >= told.threshold > told.matches[1].llr
    for seed in range(100, 150):
        told = identify(gallery, Speaker(seed).says())
        assert (told.decision, told.person) == ("unknown", None)
        assert len(told.matches) == 5
    assert told.at == "far 1 %"
    assert (told.fingerprint, told.speech_s, told.warnings) == (MODEL, 5, ())


def test_the_threshold_rises_with_the_people_and_is_the_hosts(gallery):
    enrol(gallery, "Anna", Speaker(1).says())
    alone = identify(gallery, Speaker(1).says()).threshold
    for seed in range(2, 12):
        enrol(gallery, "more", Speaker(seed).says())
    assert identify(gallery, Speaker(1).says()).threshold > alone
    strict = identify(gallery, Speaker(1).says(), far=1e-5)
    assert strict.at == "far 0.001 %"
    assert strict.threshold > identify(gallery, Speaker(1).says()).threshold
    assert identify(gallery, Speaker(1).says(), prior=0.25).at == "prior 0.25"


def test_in_an_empty_gallery_everybody_is_unknown(gallery):
    told = identify(gallery, Speaker(1).says(), quality=CLEAN)
    assert (told.decision, told.person, told.matches, told.warnings) == ("unknown", None, (), ())
    assert told.quality is CLEAN


def test_without_a_calibration_there_are_cosines_alone():
    gallery = opened(calibration=None)
    anna = Speaker(1)
    person = enrol(gallery, "Anna", anna.says()).id
    told = identify(gallery, anna.says())
    assert (told.decision, told.person, told.threshold, told.at) == ("unknown", None, None, None)
    assert (told.matches[0].id, told.matches[0].llr, told.matches[0].probability) == (
        person,
        None,
        None,
    )
    assert kinds(told) == ["not_calibrated"]
    assert "calibrate" in told.warnings[0].message
    told = verify(gallery, person, anna.says())
    assert told.cosine > 0.6
    assert (told.same, told.llr, told.at) == (None, None, None)
    assert kinds(told) == ["not_calibrated"]


def test_without_speech_seconds_there_are_cosines_alone(gallery):
    anna = Speaker(1)
    person = enrol(gallery, "Anna", anna.says()).id
    told = identify(gallery, anna.says(None))
    assert (told.decision, told.matches[0].llr, kinds(told)) == (
        "unknown",
        None,
        ["speech_unknown"],
    )
    assert kinds(verify(gallery, person, anna.says(None))) == ["speech_unknown"]


def test_who_does_not_speak_is_nobody_however_alike(gallery):
    anna = Speaker(1)
    person = enrol(gallery, "Anna", anna.says()).id
    told = identify(gallery, anna.says(0.49), speech="all", adapt=True)
    assert (told.decision, told.threshold, kinds(told)) == ("unknown", None, ["too_little_speech"])
    assert told.matches[0].probability is None
    verified = verify(gallery, person, anna.says(0.0), speech="all")
    assert (verified.same, verified.llr, kinds(verified)) == (None, None, ["too_little_speech"])
    assert verified.warnings[0].details == {"speech_s": 0.0, "needed_s": 0.5}
    assert verify(gallery, person, anna.says(0.5)).same


def test_verify(gallery):
    anna = Speaker(1)
    person = enrol(gallery, "Anna", anna.says()).id
    told = verify(gallery, person, anna.says(4.0), quality=CLEAN)
    assert (told.same, told.name, told.speech_s, told.at) == (True, "Anna", 4, "far 1 %")
    assert told.llr >= told.threshold
    assert told.probability > 0.9
    told = verify(gallery, person, Speaker(2).says(), far=0.001)
    assert (told.same, told.at) == (False, "far 0.1 %")
    assert told.probability < 0.1
    with pytest.raises(UnknownPerson):
        verify(gallery, "nobody", anna.says())


def test_the_best_of_several_prints_counts(gallery):
    person = enrol(gallery, "Anna", Speaker(1).says()).id
    enrol(gallery, None, Speaker(2).says(), id=person)
    enrol(gallery, "Bob", Speaker(3).says())
    for seed in (1, 2):
        assert verify(gallery, person, Speaker(seed).says()).same
        told = identify(gallery, Speaker(seed).says())
        assert told.person.id == person
        assert len(told.matches) == 2  # each person once


def test_a_person_without_a_print_cannot_be_verified(gallery):
    person = enrol(gallery, "Anna", Speaker(1).says(2.0)).id
    with pytest.raises(UnknownPerson) as refused:
        verify(gallery, person, Speaker(1).says())
    assert refused.value.kind == "no_print"


def test_prints_of_another_model_are_told(tmp_path):
    file, anna = tmp_path / "people.db", Speaker(1)
    older = opened(file, model="older")
    person = enrol(older, "Anna", anna.says(model="older")).id
    older.close()
    gallery = opened(file)
    for refuse in (
        lambda: identify(gallery, anna.says()),
        lambda: verify(gallery, person, anna.says()),
        lambda: identify(gallery, anna.says(model="older")),
    ):
        with pytest.raises(IncompatibleEmbeddings, match="enrol anew") as refused:
            refuse()
        assert refused.value.details == {"a": "older", "b": MODEL}
    enrol(gallery, "Bob", Speaker(2).says())
    told = identify(gallery, anna.says())
    assert kinds(told) == ["other_model"]
    assert told.warnings[0].details == {"prints": 1}
    gallery.close()


class BoundedCalibration(PlainCalibration):
    """Ratios end at 5, as those of a real one do somewhere."""

    def llr(self, cosine, speech_s_a, speech_s_b):
        return min(5.0, super().llr(cosine, speech_s_a, speech_s_b))

    def llrs(self, cosines, speech_s_a, speech_s_b):
        return np.minimum(5.0, super().llrs(cosines, speech_s_a, speech_s_b))


@pytest.mark.parametrize("top", [1, 2, 5])
def test_of_those_at_the_bound_the_most_alike_is_told(top):
    gallery = opened(calibration=BoundedCalibration())
    anna = Speaker(1)
    for away in (0.6, 0.1, 0.5, 0.4, 0.3):
        enrol(gallery, f"away {away}", anna.says(away=away))
    told = identify(gallery, anna.says(away=0.0), top=top)
    assert [match.llr for match in told.matches] == [5.0] * top
    assert told.person.name == told.matches[0].name == "away 0.1"
    assert len({match.id for match in told.matches}) == top


def test_no_error_tells_a_name(gallery):
    """Errors may be logged, and logs are sent around."""
    person = enrol(gallery, "Anna Amalia", Speaker(1).says(2.0)).id
    for refuse in (
        lambda: verify(gallery, person, Speaker(1).says()),
        lambda: enrol(gallery, "Hanna", Speaker(1).says(), id=person),
        lambda: gallery.forget(person, "no print"),
    ):
        with pytest.raises(SidecarError) as refused:
            refuse()
        assert "anna" not in f"{refused.value.message} {refused.value.data()}".lower()


def test_a_poor_recording_is_told(gallery):
    person = enrol(gallery, "Anna", Speaker(1).says()).id
    poor = dataclasses.replace(CLEAN, flags=("noisy",))
    assert kinds(identify(gallery, Speaker(1).says(), poor)) == ["poor_quality"]
    assert kinds(verify(gallery, person, Speaker(1).says(), poor)) == ["poor_quality"]


def test_the_matrix_is_what_each_print_says(monkeypatch):
    """Against a plain loop, while prints are added and changed in any order."""
    chance = np.random.default_rng(1)
    matrix, prints = PrintMatrix(8), {}
    for _ in range(60):
        n_put = int(chance.integers(1, 12))
        numbers = chance.choice(300, n_put, replace=False)
        for number in numbers:
            prints[int(number)] = (
                int(prints[int(number)][0]) if int(number) in prints else int(chance.integers(40)),
                float(chance.uniform(3, 60)),
                chance.standard_normal(8).astype(np.float32),
            )
        chosen = [prints[int(number)] for number in numbers]
        matrix.put(
            PrintColumns(
                numbers.astype(np.int64),
                np.array([person for person, _, _ in chosen]),
                np.array([speech_s for _, speech_s, _ in chosen]),
                np.zeros(len(chosen), bool),
                np.stack([total for _, _, total in chosen]),
            )
        )
        assert len(matrix) == len(prints)
        unit = chance.standard_normal(8).astype(np.float32)
        unit /= np.linalg.norm(unit)
        best = {}
        for person, speech_s, total in prints.values():
            cosine = float(total @ unit / np.linalg.norm(total))
            best[person] = max(best.get(person, (-2.0, 0.0)), (cosine, speech_s))
        nearest = matrix.nearest(unit)
        assert nearest.people.tolist() == sorted(best)
        expected = [best[person] for person in sorted(best)]
        np.testing.assert_allclose(nearest.cosines, [cosine for cosine, _ in expected], atol=1e-6)
        assert nearest.speech_s.tolist() == [speech_s for _, speech_s in expected]


def test_real_voices_are_told_apart(shared):
    """CAM++'s embeddings of five readers: three enrolled each, seven heard; each left out once."""
    kept = np.load(shared / "reference" / "campplus_zh_en.npz")
    utterances = {}
    for name, embedding in zip(kept["names"], kept["embeddings"], strict=True):
        utterances.setdefault(str(name).split("/")[-1].split("-")[0], []).append(embedding)
    assert {len(each) for each in utterances.values()} == {10}
    for stranger in (None, *utterances):
        gallery = opened()
        for reader, each in utterances.items():
            if reader != stranger:
                told = enrol(gallery, reader, *(said(one) for one in each[:3]))
                assert (told.prints, told.warnings) == (1, ())
        for reader, each in utterances.items():
            for one in each[3:]:
                told = identify(gallery, said(one))
                expected = None if reader == stranger else reader
                assert (told.person.name if told.person else None) == expected
        gallery.close()


def said(embedding):
    return dataclasses.replace(Speaker(0).says(8.0), embedding=embedding)


def test_a_tool_may_ask_without_audio():
    """The params of an embedding that the host kept are the same; only the voice counts."""
    gallery = opened()
    gallery.enroll(EnrollParams(name="Anna", audio=AUDIO), [Speaker(1).says()], None)
    told = gallery.identify(IdentifyParams(AUDIO), Speaker(1).says(), None)
    assert told.quality is None
    assert told.person.name == "Anna"
