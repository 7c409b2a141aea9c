"""People and their prints, as the tables have them. Whoever calls is inside of a transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protocol.errors import UnknownPerson
from sidecar.people.voices import Vector

# Seconds of speech from which on a print is one. What has less is kept until it is enough.
PRINT_S = 3.0
_TOGETHER = 4096


def new_id() -> str:
    """Of a person or a print; tells nothing, and never comes twice."""
    return secrets.token_hex(12)


@dataclass(slots=True)
class Person:
    """Somebody who is enrolled; ``number`` is the order, 0 until it is kept. Times are Unix'."""

    id: str
    name: str
    created_ms: int
    updated_ms: int
    number: int = 0


@dataclass(slots=True, eq=False)
class Print:
    """The voice of one person, over one channel, in one mood: a running mean.

    ``total`` is the sum of the audios' unit vectors, each times its seconds of speech, and
    ``speech_s`` the sum of these seconds. The mean's direction is that of ``total``.
    """

    fingerprint: str
    total: Vector
    speech_s: float
    created_ms: int
    updated_ms: int
    audios: int = 0
    adapted: bool = False
    person: int = 0
    number: int = 0
    id: str = field(default_factory=new_id)

    @property
    def unit(self) -> Vector:
        """Its direction, shape (dim,); zeros where it has none, as in a draft before its audio."""
        length = float(np.linalg.norm(self.total))
        return self.total / np.float32(length) if length else self.total

    @property
    def is_complete(self) -> bool:
        """Whether there is enough speech in it to compare anybody with."""
        return self.speech_s >= PRINT_S


@dataclass(frozen=True, slots=True, eq=False)
class PrintColumns:
    """Of n prints what is needed to compare them; ``totals`` has the shape (n, dim)."""

    numbers: NDArray[np.int64]
    people: NDArray[np.int64]
    speech_s: NDArray[np.float64]
    adapted: NDArray[np.bool_]
    totals: Vector


@dataclass(frozen=True, slots=True)
class Overview:
    """A person, and over all prints: ``prints`` are the complete ones, of any model.

    ``speech_s`` and ``most_s`` (of one print) are of the model asked for, without what was adapted.
    """

    person: Person
    prints: int
    speech_s: float
    most_s: float


class Records:
    """The rows of the gallery on this ``connection``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        self._execute = connection.execute

    def person(self, person_id: str) -> Person:
        """The person of this id; raises ``UnknownPerson``."""
        found = self.find(person_id)
        if found is None:
            raise UnknownPerson(f"nobody of the gallery has the id {person_id!r}: see people")
        return found

    def find(self, person_id: str) -> Person | None:
        """The person of this id, if there is one."""
        row = self._execute("SELECT * FROM person WHERE id = ?", (person_id,)).fetchone()
        return _person(row) if row else None

    def numbered(self, number: int) -> Person:
        """The person of this number, who must be there."""
        found = self.find_numbered(number)
        assert found is not None
        return found

    def find_numbered(self, number: int) -> Person | None:
        """The person of this number, if there is one."""
        row = self._execute("SELECT * FROM person WHERE number = ?", (number,)).fetchone()
        return _person(row) if row else None

    def people_behind(self, number: int, most: int) -> list[Person]:
        """Up to ``most`` people who were enrolled after the person of this number."""
        query = "SELECT * FROM person WHERE number > ? ORDER BY number LIMIT ?"
        return [_person(row) for row in self._execute(query, (number, most))]

    def overviews(self, fingerprint: str, numbers: Sequence[int]) -> list[Overview]:
        """Of the people of these numbers, in their order."""
        query = """
            SELECT person.*, total(speech_s >= ?) AS prints,
                total(speech_s * (fingerprint = ? AND NOT adapted)) AS speech_s,
                max(coalesce(speech_s * (fingerprint = ? AND NOT adapted), 0)) AS most_s
            FROM person LEFT JOIN print ON print.person = person.number
            WHERE person.number BETWEEN ? AND ? GROUP BY person.number ORDER BY person.number
        """
        ends = (numbers[0], numbers[-1]) if numbers else (0, 0)
        rows = self._execute(query, (PRINT_S, fingerprint, fingerprint, *ends))
        return [
            Overview(_person(row), int(row["prints"]), row["speech_s"], row["most_s"])
            for row in rows
        ]

    def prints_of(self, person: Person, fingerprint: str | None = None) -> list[Print]:
        """The oldest first; only those of one model, if a fingerprint is given."""
        query = "SELECT * FROM print WHERE person = ? ORDER BY number"
        prints = [_print(row) for row in self._execute(query, (person.number,))]
        return [kept for kept in prints if fingerprint in (None, kept.fingerprint)]

    def complete_prints(self, fingerprint: str, changed_after: int = -1) -> Iterator[PrintColumns]:
        """Those of one model that may be compared; all, or those that changed since a revision.

        Some thousands at a time. Raises ``ValueError`` where they have different dims.
        """
        # The plus keeps SQLite from the index of fingerprints, which leads to all of a model.
        query = """
            SELECT number, person, speech_s, adapted, total FROM print
            WHERE revision > ? AND +fingerprint = ? AND speech_s >= ?
        """
        found = self._execute(query, (changed_after, fingerprint, PRINT_S))
        while rows := found.fetchmany(_TOGETHER):
            numbers, people, speech_s, adapted, totals = zip(*rows, strict=True)
            yield PrintColumns(
                np.array(numbers, np.int64),
                np.array(people, np.int64),
                np.array(speech_s, np.float64),
                np.array(adapted, np.bool_),
                np.stack([np.frombuffer(total, "<f4") for total in totals]),
            )

    def count_complete(self, fingerprint: str) -> int:
        """How many prints of this model may be compared."""
        query = "SELECT count(*) FROM print WHERE fingerprint = ? AND speech_s >= ?"
        return int(self._execute(query, (fingerprint, PRINT_S)).fetchone()[0])

    def other_models(self, fingerprint: str) -> dict[str, int]:
        """How many complete prints there are of each other model, by its fingerprint."""
        query = """
            SELECT fingerprint, count(*) FROM (
                SELECT fingerprint, speech_s FROM print WHERE fingerprint < ?1
                UNION ALL SELECT fingerprint, speech_s FROM print WHERE fingerprint > ?1
            ) WHERE speech_s >= ?2 GROUP BY fingerprint
        """
        return dict(self._execute(query, (fingerprint, PRINT_S)).fetchall())

    def has_print(self, print_id: str) -> bool:
        """Whether there is a print of this id, whoever's."""
        query = "SELECT 1 FROM print WHERE id = ?"
        return self._execute(query, (print_id,)).fetchone() is not None

    def revisions(self) -> tuple[int, int]:
        """The number of the last change, and of the last one that took prints away."""
        revision, removal = self._execute("SELECT revision, removal FROM gallery").fetchone()
        return revision, removal

    def keep_person(self, person: Person) -> None:
        """Write a person, new or changed."""
        if person.number:
            changed = (person.name, person.updated_ms, person.number)
            self._execute("UPDATE person SET name = ?, updated_ms = ? WHERE number = ?", changed)
            return
        added = self._execute(
            "INSERT INTO person (id, name, created_ms, updated_ms) VALUES (?, ?, ?, ?)",
            (person.id, person.name, person.created_ms, person.updated_ms),
        )
        assert added.lastrowid is not None
        person.number = added.lastrowid

    def keep_print(self, kept: Print, revision: int) -> None:
        """Write a print, new or changed; ``revision``: of this transaction."""
        total = kept.total.astype("<f4").tobytes()
        if kept.number:
            self._execute(
                "UPDATE print SET speech_s = ?, audios = ?, updated_ms = ?, revision = ?, total = ?"
                " WHERE number = ?",
                (kept.speech_s, kept.audios, kept.updated_ms, revision, total, kept.number),
            )
            return
        added = self._execute(
            "INSERT INTO print (id, person, fingerprint, speech_s, audios, adapted, created_ms,"
            " updated_ms, revision, total) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                kept.id,
                kept.person,
                kept.fingerprint,
                kept.speech_s,
                kept.audios,
                kept.adapted,
                kept.created_ms,
                kept.updated_ms,
                revision,
                total,
            ),
        )
        assert added.lastrowid is not None
        kept.number = added.lastrowid

    def remove_person(self, person: Person) -> None:
        """Delete the person with all prints."""
        self._execute("DELETE FROM person WHERE number = ?", (person.number,))
        self._execute("UPDATE gallery SET removal = revision")

    def remove_prints(self, prints: Sequence[Print]) -> None:
        """Delete these."""
        for gone in prints:
            self._execute("DELETE FROM print WHERE number = ?", (gone.number,))
        if any(gone.is_complete for gone in prints):
            self._execute("UPDATE gallery SET removal = revision")

    def want_sweep(self) -> None:
        """Note in the file that it is to be swept, so that a kill before that changes nothing."""
        self._execute("UPDATE gallery SET unswept = 1")


def as_columns(prints: Sequence[Print], dim: int) -> PrintColumns:
    """These, none perhaps; raises ``ValueError`` where they are not of ``dim`` numbers."""
    totals = np.empty((len(prints), dim), np.float32)
    for row, kept in enumerate(prints):
        totals[row] = kept.total
    return PrintColumns(
        np.array([kept.number for kept in prints], np.int64),
        np.array([kept.person for kept in prints], np.int64),
        np.array([kept.speech_s for kept in prints], np.float64),
        np.array([kept.adapted for kept in prints], np.bool_),
        totals,
    )


def _person(row: sqlite3.Row) -> Person:
    return Person(row["id"], row["name"], row["created_ms"], row["updated_ms"], row["number"])


def _print(row: sqlite3.Row) -> Print:
    return Print(
        fingerprint=row["fingerprint"],
        total=np.frombuffer(row["total"], "<f4"),
        speech_s=row["speech_s"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        audios=row["audios"],
        adapted=bool(row["adapted"]),
        person=row["person"],
        number=row["number"],
        id=row["id"],
    )
