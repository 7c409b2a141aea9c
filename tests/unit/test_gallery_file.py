"""The gallery's file: whose it is, what it refuses, and what remains of somebody forgotten."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import stat

import pytest
from systems import IS_WINDOWS
from unit.gallery_voices import Speaker, enrol, identify, opened

from protocol.errors import GalleryUnavailable, UnknownPerson
from protocol.gallery_params import PeopleParams
from sidecar.people import gallery_file, schema


@pytest.fixture
def file(tmp_path):
    return tmp_path / "people.db"


@pytest.fixture
def anna():
    return Speaker(1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(gallery_file, "BUSY_S", 0)


def names(gallery):
    return [person.name for person in gallery.people(PeopleParams()).people]


def refusal(file):
    with pytest.raises(GalleryUnavailable) as refused:
        opened(file)
    assert str(file) in refused.value.message
    return refused.value


def bytes_of(file):
    """All that is on the disk of it; on Windows without -shm, which is locked, and has numbers."""
    found = sorted(file.parent.glob(f"{file.name}*"))
    return b"".join(
        path.read_bytes() for path in found if not (IS_WINDOWS and path.name.endswith("-shm"))
    )


@contextlib.contextmanager
def database(file):
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        yield connection.execute
    finally:
        connection.close()


@pytest.mark.posix("permissions of owner, group and others")
def test_only_the_owner_may_read_it(file, anna):
    umask = os.umask(0)
    try:
        gallery = opened(file)
        enrol(gallery, "Anna", anna.says())
        files = sorted(file.parent.iterdir())
        assert [path.name for path in files] == ["people.db", "people.db-shm", "people.db-wal"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        gallery.close()
    finally:
        os.umask(umask)


@pytest.mark.posix("permissions of owner, group and others")
def test_a_file_that_others_may_read_is_closed_to_them(file, anna):
    opened(file).close()
    file.chmod(0o644)
    opened(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_is_written_ahead_and_synced(file):
    gallery = opened(file)
    asked = gallery._file.connection.execute
    told = {
        name: asked(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "temp_store")
    }
    assert told == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "temp_store": 2,
    }
    gallery.close()


def test_on_a_network_share_there_is_no_wal(file, anna, monkeypatch):
    opened(file).close()
    monkeypatch.setattr(gallery_file, "is_on_network", lambda _: True)
    gallery = opened(file)
    person = enrol(gallery, "Anna", anna.says())
    assert gallery._file.connection.execute("PRAGMA journal_mode").fetchone()[0] == "truncate"
    assert not file.with_name("people.db-wal").exists()
    gallery.forget(person.id)
    assert b"Anna" not in bytes_of(file)
    gallery.close()


def test_another_programs_database_is_refused_and_left_alone(file):
    with database(file) as execute:
        execute("CREATE TABLE notes (text)")
    before = file.read_bytes()
    assert refusal(file).kind == "gallery_unavailable"
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_what_is_no_database_is_refused_and_left_alone(file):
    file.write_bytes(b"a letter to Anna\n" * 1000)
    before = file.stat().st_mode
    assert refusal(file).kind == "gallery_unavailable"
    assert file.read_bytes() == b"a letter to Anna\n" * 1000
    assert file.stat().st_mode == before


def test_an_empty_file_becomes_a_gallery(file):
    """A kill may have come right after it was made."""
    file.touch()
    opened(file).close()
    assert names(opened(file)) == []


def test_a_newer_file_is_refused(file):
    opened(file).close()
    with database(file) as execute:
        execute("PRAGMA user_version = 99")
    refused = refusal(file)
    assert refused.kind == "gallery_newer"
    assert "99" in refused.message


def test_damage_is_told(file, anna):
    gallery = opened(file)
    for number in range(60):
        enrol(gallery, f"person {number}", anna.says())
    gallery.close()
    content = bytearray(file.read_bytes())
    for place in range(3 * 4096, len(content), 4096):
        content[place : place + 64] = os.urandom(64)
    file.write_bytes(content)
    refused = refusal(file)
    assert refused.kind == "gallery_damaged"
    assert "import your last export" in refused.message


def test_prints_of_another_size_are_damage(file, anna):
    gallery = opened(file)
    for name in ("Anna", "Hanna"):
        enrol(gallery, name, anna.says())
    gallery.close()
    with database(file) as execute:
        execute("UPDATE print SET total = zeroblob(8) WHERE number = 2")
    assert refusal(file).kind == "gallery_damaged"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert refusal(tmp_path / "nowhere" / "people.db").kind == "not_writable"


def test_a_folder_is_no_gallery(tmp_path):
    before = tmp_path.stat().st_mode
    assert refusal(tmp_path).kind == "not_writable"
    assert tmp_path.stat().st_mode == before


def test_a_writer_that_hangs_is_told(file, anna):
    gallery = opened(file)
    with database(file) as execute:
        execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryUnavailable) as refused:
            enrol(gallery, "Anna", anna.says())
        assert (refused.value.kind, refused.value.retryable) == ("gallery_locked", True)
        # Whoever only reads need not wait.
        assert names(gallery) == []
    enrol(gallery, "Anna", anna.says())
    gallery.close()


def test_a_full_disk_is_told_and_nothing_of_it_is_kept(file, anna):
    gallery = opened(file)
    person = enrol(gallery, "Anna", anna.says()).id
    execute = gallery._file.connection.execute
    (pages,) = execute("PRAGMA page_count").fetchone()
    execute(f"PRAGMA max_page_count = {pages}")

    def enrol_more():
        for seed in range(2, 8):
            enrol(gallery, None, Speaker(seed).says(), id=person)

    with pytest.raises(GalleryUnavailable) as refused:
        enrol_more()
    assert (refused.value.kind, refused.value.retryable) == ("disk_full", True)
    n_prints = len(gallery.person(person).prints)
    execute("PRAGMA max_page_count = 100000")
    assert enrol(gallery, None, Speaker(99).says(), id=person).prints == n_prints + 1
    gallery.close()


def test_a_file_that_cannot_be_written_is_told(file, anna):
    gallery = opened(file)
    gallery._file.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(GalleryUnavailable) as refused:
        enrol(gallery, "Anna", anna.says())
    assert refused.value.kind == "not_writable"
    gallery.close()


def test_an_older_file_is_brought_up_to_date(file):
    made_up = (
        ("CREATE TABLE person (name TEXT)", "INSERT INTO person VALUES ('Anna')"),
        ("ALTER TABLE person ADD COLUMN age INTEGER", "UPDATE person SET age = 30"),
        ("ALTER TABLE person ADD COLUMN town TEXT",),
    )
    with database(file) as execute:
        connection = execute.__self__
        schema.migrate(connection, made_up[:1])
        assert schema.version_of(connection) == 1
        schema.migrate(connection, made_up)
        assert schema.version_of(connection) == 3
        assert execute("SELECT * FROM person").fetchall() == [("Anna", 30, None)]


def test_a_migration_that_fails_changes_nothing(file):
    first = (("CREATE TABLE person (name TEXT)",),)
    with database(file) as execute:
        connection = execute.__self__
        schema.migrate(connection, first)
        with pytest.raises(sqlite3.OperationalError):
            schema.migrate(connection, (*first, ("DROP TABLE person", "no statement")))
        assert schema.version_of(connection) == 1
        assert execute("SELECT count(*) FROM person").fetchone() == (0,)


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


def test_two_processes_see_each_others_changes(file, anna):
    """Two connections: to SQLite, the same as two processes."""
    first, second = opened(file), opened(file)
    person = enrol(first, "Anna", anna.says(3)).id
    assert identify(second, anna.says()).person.name == "Anna"
    enrol(second, None, anna.says(4), id=person)
    assert enrol(first, None, anna.says(5), id=person).speech_s == 12  # no lost update
    second.rename(person, "Anne")
    assert identify(first, anna.says()).person.name == "Anne"
    enrol(second, "Bob", Speaker(2).says())
    first.forget(person)
    assert identify(second, anna.says()).person is None
    assert identify(first, Speaker(2).says()).matches[0].name == "Bob"
    first.close()
    second.close()


def test_nothing_is_logged(file, anna, caplog, capfd):
    gallery = opened(file)
    person = enrol(gallery, "Anna Amalia", anna.says()).id
    identify(gallery, anna.says())
    gallery.forget(person)
    gallery.close()
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_person_of_another_model_stays_and_is_refused(file, anna):
    gallery = opened(file, model="older")
    enrol(gallery, "Anna", anna.says(model="older"))
    gallery.close()
    gallery = opened(file)
    (report,) = gallery.people(PeopleParams()).people
    assert (report.prints, report.speech_s, report.progress) == (1, 0, 0)
    (kept,) = gallery.person(report.id).prints
    assert (kept.fingerprint, kept.usable) == ("older", False)
    told = enrol(gallery, None, anna.says(), id=report.id)
    assert (told.prints, told.progress) == (2, 1)
    gallery.close()
