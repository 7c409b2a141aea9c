"""Exports and imports: everything comes back, page by page, and nothing that is made up."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.gallery_voices import CLEAN, DIM, MODEL, Speaker, enrol, identify, opened

from protocol.errors import IncompatibleEmbeddings, InvalidParams, SidecarError, UnknownPerson
from protocol.gallery_params import ExportPeopleParams, ImportPeopleParams, PeopleParams
from protocol.payload import pack, unpack
from sidecar.people.exchange import read_export

MARK = b"speaker-sidecar people 1\n"


@pytest.fixture
def gallery():
    opened_one = opened()
    yield opened_one
    opened_one.close()


def fill(gallery, count=3):
    people = []
    for seed in range(count):
        person = enrol(gallery, f"person {seed}", Speaker(seed).says(20.0)).id
        enrol(gallery, None, Speaker(100 + seed).says(4.0), id=person)
        enrol(gallery, None, Speaker(seed).says(1.5), id=person)
        people.append(person)
    identify(gallery, Speaker(0).says(), CLEAN, adapt=True)
    return people


def export(gallery, *ids, after=None):
    return gallery.export(ExportPeopleParams(ids, after))


def take_in(gallery, data, **options):
    told = gallery.import_(ImportPeopleParams(data, **options))
    return told.added, told.replaced, told.kept


def all_of(gallery):
    """Everything that is told, and everything that is kept."""
    people = gallery.people(PeopleParams()).people
    kept = [
        (one.id, one.speech_s, one.audios, one.adapted, one.total.tobytes(), one.created_ms)
        for person in people
        for one in gallery._records.prints_of(gallery._records.person(person.id))
    ]
    return people, [gallery.person(person.id) for person in people], kept


def resigned(data, change):
    """The same export with something else in it, and a hash that fits."""
    content = unpack(data[len(MARK) + 32 :])
    change(content)
    packed = pack(content)
    return MARK + hashlib.sha256(packed).digest() + packed


def test_everything_comes_back(gallery):
    fill(gallery)
    told = export(gallery)
    assert (told.people, told.next) == (3, None)
    other = opened()
    assert take_in(other, told.data) == (3, 0, 0)
    assert all_of(other) == all_of(gallery)
    assert identify(other, Speaker(2).says()).person.name == "person 2"
    assert export(other).data == told.data
    other.close()


def test_it_comes_page_by_page(gallery, monkeypatch):
    people = fill(gallery, 7)
    monkeypatch.setattr("sidecar.people.registry.PAGE_BYTES", 9000)
    other, after, pages = opened(), None, []
    while True:
        told = export(gallery, after=after)
        pages.append(told.people)
        take_in(other, told.data)
        after = told.next
        if after is None:
            break
        gallery.forget(people[6 - len(pages)])  # between two pages: no harm
    assert pages[0] == 2
    assert [person.id for person in other.people(PeopleParams()).people][:2] == people[:2]
    monkeypatch.setattr("sidecar.people.registry.PAGE_BYTES", 1)
    assert export(gallery).people == 1  # never none
    other.close()


def test_some_people_alone(gallery):
    people = fill(gallery)
    told = export(gallery, people[2], people[0])
    assert told.people == 2
    other = opened()
    take_in(other, told.data)
    assert [person.id for person in other.people(PeopleParams()).people] == [people[0], people[2]]
    with pytest.raises(UnknownPerson):
        export(gallery, "nobody")
    other.close()


def test_who_is_there_stays_or_is_replaced(gallery):
    people = fill(gallery)
    data = export(gallery).data
    before = all_of(gallery)
    gallery.forget(people[1])
    gallery.rename(people[0], "Anna")
    enrol(gallery, None, Speaker(0).says(30.0), id=people[0])
    assert take_in(gallery, data) == (1, 0, 2)
    assert gallery.person(people[0]).person.name == "Anna"
    assert take_in(gallery, data, replace=True) == (0, 3, 0)
    # The order is that of enrolment in this gallery.
    assert sorted(all_of(gallery)[2]) == sorted(before[2])
    assert gallery.person(people[0]).person.name == "person 0"
    assert identify(gallery, Speaker(1).says()).person.id == people[1]


def test_an_export_of_nobody(gallery):
    assert take_in(opened(), export(gallery).data) == (0, 0, 0)


def test_another_models_prints_are_refused(gallery):
    fill(gallery)
    other = opened(model="other")
    with pytest.raises(IncompatibleEmbeddings) as refused:
        take_in(other, export(gallery).data)
    assert refused.value.details == {"a": MODEL, "b": "other"}
    assert not other.people(PeopleParams()).people


def test_prints_of_other_models_are_not_exported(tmp_path):
    older = opened(tmp_path / "people.db", model="older")
    person = enrol(older, "Anna", Speaker(1).says(model="older")).id
    older.close()
    gallery = opened(tmp_path / "people.db")
    enrol(gallery, None, Speaker(1).says(), id=person)
    data = export(gallery).data
    assert take_in(opened(), data) == (1, 0, 0)
    # To replace a person leaves what the export cannot have.
    assert take_in(gallery, data, replace=True) == (0, 1, 0)
    assert [kept.fingerprint for kept in gallery.person(person).prints] == ["older", MODEL]
    gallery.close()


def first_print(content):
    return content["people"][0]["prints"][0]


CHANGES = {
    "no people": lambda content: content.pop("people"),
    "people are no array": lambda content: content.update(people=3),
    "something more": lambda content: content.update(more=1),
    "a person with more": lambda content: content["people"][0].update(more=1),
    "no name": lambda content: content["people"][0].pop("name"),
    "a name of two lines": lambda content: content["people"][0].update(name="Anna\nBob"),
    "a name without end": lambda content: content["people"][0].update(name="A" * 300),
    "an id without end": lambda content: content["people"][0].update(id="a" * 65),
    "an id twice": lambda content: content["people"][1].update(id=content["people"][0]["id"]),
    "a print twice": lambda content: content["people"][0]["prints"].append(first_print(content)),
    "a time below 0": lambda content: content["people"][0].update(created_ms=-1),
    "a print with more": lambda content: first_print(content).update(more=1),
    "no speech": lambda content: first_print(content).update(speech_s=0),
    "speech without end": lambda content: first_print(content).update(speech_s=1e300),
    "audios that are no number": lambda content: first_print(content).update(audios="many"),
    "a sum that is none": lambda content: first_print(content).update(total=b"\0" * 768),
    "a sum that is too long": lambda content: first_print(content).update(speech_s=1.0),
    "no numbers": lambda content: first_print(content).update(
        total=np.full(192, np.nan, "<f4").tobytes()
    ),
    "half a number": lambda content: first_print(content).update(total=b"\0" * 7),
    "nothing": lambda content: first_print(content).update(total=b""),
    "another dim": lambda content: first_print(content).update(total=np.ones(4, "<f4").tobytes()),
    "all of another dim": lambda content: [
        kept.update(total=np.full(4, 0.1, "<f4").tobytes())
        for person in content["people"]
        for kept in person["prints"]
    ],
    "prints without end": lambda content: content["people"][0].update(
        prints=[{**first_print(content), "id": str(number)} for number in range(18)]
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_made_up_is_refused_as_a_whole(gallery, change):
    fill(gallery)
    data = resigned(export(gallery).data, change)
    other = opened()
    with pytest.raises(InvalidParams, match=r"params\.data"):
        take_in(other, data)
    assert not other.people(PeopleParams()).people
    other.close()


def test_another_persons_print_is_refused_as_a_whole(gallery):
    people = fill(gallery)
    data = export(gallery).data
    theirs = gallery.person(people[2]).prints[0].id

    def steal(content):
        content["people"] = content["people"][:1]
        content["people"][0].update(id="new")
        first_print(content).update(id=theirs)

    before = all_of(gallery)
    with pytest.raises(InvalidParams, match="another's"):
        take_in(gallery, resigned(data, steal), replace=True)
    assert all_of(gallery) == before


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"speaker-sidecar",
        b"a letter",
        MARK,
        MARK + bytes(32),
        MARK + hashlib.sha256(b"").digest(),
        MARK + hashlib.sha256(b"\x93").digest() + b"\x93",
    ],
)
def test_what_is_no_export_is_refused(gallery, data):
    with pytest.raises(InvalidParams):
        take_in(gallery, data)


def test_a_newer_export_is_told(gallery):
    with pytest.raises(InvalidParams, match="newer version"):
        take_in(gallery, export(gallery).data.replace(b"people 1\n", b"people 2\n"))


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_may_be_another(place, bit):
    gallery = opened()
    fill(gallery, 1)
    data = bytearray(export(gallery).data)
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(InvalidParams):
        take_in(gallery, bytes(data))
    gallery.close()


@given(
    content=st.recursive(
        st.none() | st.integers(0, 9) | st.text(max_size=4) | st.binary(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["people", "prints", "id", "name", "total", "speech_s"]), inner
            )
        ),
    )
)
def test_whatever_is_in_it_is_refused_or_read(content):
    packed = pack({"people": content})
    try:
        people = read_export(MARK + hashlib.sha256(packed).digest() + packed, MODEL, DIM)
    except SidecarError:
        return
    assert people == []
