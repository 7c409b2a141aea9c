"""The gallery's file: whose it is, what it refuses, and what remains of somebody forgotten."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat

import pytest
from unit.gallery_voices import Speaker, bytes_of, database, enrol, identify, names, opened

from protocol.errors import GalleryUnavailable
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


def refusal(file):
    with pytest.raises(GalleryUnavailable) as refused:
        opened(file)
    assert str(file) in refused.value.message
    return refused.value


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


def test_two_that_make_one_at_once_both_have_it(file, anna, monkeypatch):
    connect = gallery_file._connect

    def connect_at_the_same_moment(path):
        connection = connect(path)

        def be_faster(statement):
            if "sqlite_master" in statement:
                connection.set_trace_callback(None)
                with database(file) as execute, contextlib.suppress(sqlite3.OperationalError):
                    execute("PRAGMA busy_timeout = 0")
                    schema.migrate(execute.__self__)

        connection.set_trace_callback(be_faster)
        return connection

    monkeypatch.setattr(gallery_file, "_connect", connect_at_the_same_moment)
    gallery = opened(file)
    enrol(gallery, "Anna", anna.says())
    gallery.close()


def test_who_begins_a_log_waits_for_others(file, anna, monkeypatch):
    file.touch()
    with database(file) as execute:
        execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(gallery_file, "BUSY_S", 60)
        monkeypatch.setattr(gallery_file.time, "sleep", lambda _: execute("ROLLBACK"))
        gallery = opened(file)
    assert gallery._file.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
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
