"""Nothing remains of somebody who is forgotten, whatever happened before or comes between."""

from __future__ import annotations

import random

import pytest
from unit.gallery_voices import Speaker, bytes_of, database, enrol, identify, names, opened

from protocol.errors import GalleryUnavailable, UnknownPerson
from sidecar.people import gallery_file


@pytest.fixture
def file(tmp_path):
    return tmp_path / "people.db"


@pytest.fixture
def anna():
    return Speaker(1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(gallery_file, "BUSY_S", 0)


def test_nothing_remains_of_who_is_forgotten(file):
    """Whatever else happened to the pages: the bytes of names and sums are looked for.

    With these changes SQLite 3.40 moves a print within its page, and ``secure_delete`` by itself
    leaves it there.
    """
    gallery = opened(file)
    gallery._file.connection.execute("PRAGMA synchronous = OFF")  # for speed
    chance = random.Random(6)
    speakers, secrets = {}, {}
    for step in range(200):
        choice = chance.random()
        if choice < 0.4 or not speakers:
            name = f"{step:04d}-06 {'long name ' * chance.randrange(20)}".strip()
            speaker = Speaker(step)
            person = enrol(gallery, name, speaker.says(chance.choice([1.5, 4.0, 4.25]))).id
            speakers[person], secrets[person] = speaker, {name.encode()[:7]}
        else:
            person = chance.choice(list(speakers))
            if choice < 0.55:
                enrol(gallery, None, speakers[person].says(1.75), id=person)
            elif choice < 0.75:
                name = f"{step:04d}-06 {'renamed ' * chance.randrange(25)}".strip()
                gallery.rename(person, name)
                secrets[person].add(name.encode()[:7])
            else:
                forget_and_search(gallery, file, person, secrets.pop(person))
                del speakers[person]
        if person in speakers:
            kept = gallery._records.prints_of(gallery._records.person(person))
            secrets[person] |= {
                one.total.tobytes()[place : place + 16] for one in kept for place in (0, 368, 752)
            }
    assert len(names(gallery)) == len(speakers)
    gallery.close()


def forget_and_search(gallery, file, person, secrets):
    before = bytes_of(file)
    assert any(secret in before for secret in secrets)
    gallery.forget(person)
    after = bytes_of(file)
    assert not [secret for secret in secrets if secret in after]


def test_one_print_can_be_forgotten(file, anna):
    gallery = opened(file)
    person = enrol(gallery, "Anna", anna.says()).id
    enrol(gallery, None, Speaker(2).says(), id=person)
    first, second = gallery._records.prints_of(gallery._records.person(person))
    told = gallery.forget(person, first.id)
    assert (told.id, told.name, told.prints) == (person, "Anna", 1)
    content = bytes_of(file)
    assert first.total.tobytes()[:16] not in content
    assert second.total.tobytes() in content
    assert [kept.id for kept in gallery.person(person).prints] == [second.id]
    (unswept,) = gallery._file.connection.execute("SELECT unswept FROM gallery").fetchone()
    assert not unswept
    assert identify(gallery, anna.says()).person is None
    with pytest.raises(UnknownPerson) as refused:
        gallery.forget(person, first.id)
    assert refused.value.kind == "unknown_print"
    gallery.close()


def test_a_kill_before_the_sweep_is_made_up_for(file, anna, monkeypatch):
    gallery = opened(file)
    person = enrol(gallery, "Anna Amalia", anna.says()).id
    total = gallery._records.prints_of(gallery._records.person(person))[0].total.tobytes()
    monkeypatch.setattr(gallery._file, "sweep", lambda: None)
    gallery.forget(person)
    assert b"Anna Amalia" in bytes_of(file)  # of the WAL, where a kill would leave it
    opened(file)
    assert b"Anna Amalia" not in bytes_of(file)
    assert total[:16] not in bytes_of(file)


def test_a_reader_that_hangs_is_told_to_who_forgets(file, anna):
    gallery = opened(file)
    person = enrol(gallery, "Anna Amalia", anna.says()).id
    with database(file) as execute:
        execute("BEGIN")
        execute("SELECT * FROM person").fetchall()
        with pytest.raises(GalleryUnavailable) as refused:
            gallery.forget(person)
        assert refused.value.kind == "gallery_locked"
        assert names(gallery) == []
        # It does not keep anybody from opening the gallery, either.
        assert names(opened(file)) == []
    gallery.close()
    assert b"Anna Amalia" not in bytes_of(file)
