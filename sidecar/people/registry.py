"""Who is enrolled: listed, renamed, forgotten, exported, imported; and their prints in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from protocol.errors import IncompatibleEmbeddings, InvalidParams, UnknownPerson
from protocol.gallery_params import ExportPeopleParams, ImportPeopleParams, PeopleParams
from protocol.gallery_reports import (
    ExportResult,
    ForgetResult,
    ImportResult,
    PeopleReport,
    PersonDetails,
    PersonReport,
)
from sidecar.people.exchange import PAGE_BYTES, PAGE_PEOPLE, read_export, size_of, write_export
from sidecar.people.gallery_file import GalleryFile
from sidecar.people.print_matrix import PrintMatrix
from sidecar.people.records import Person, Print, Records
from sidecar.people.told import person_report, print_report


class Registry:
    """The people in ``file``; None: in memory.

    ``fingerprint``: of the model that serves; ``dim``: how many numbers its embeddings have.

    For one thread at a time; other processes may have the same file. Every method raises
    ``GalleryUnavailable`` where the file cannot be used, and ``UnknownPerson`` for an id that is
    not there.
    """

    def __init__(
        self,
        file: Path | None,
        fingerprint: str,
        dim: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = GalleryFile(file)
        self._records = Records(self._file.connection)
        self._fingerprint = fingerprint
        self._dim = dim
        self._now = now
        # The prints of this model, as of a revision of the file; None: there are none.
        self._matrix: PrintMatrix | None = None
        self._seen = -1
        self._others: dict[str, int] = {}
        try:
            with self._file.reading():
                self._catch_up()
        except BaseException:
            self._file.connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def people(self, params: PeopleParams) -> PeopleReport:
        """Everybody behind ``after``, as many as one answer takes."""
        with self._file.reading():
            page = self._records.people_behind(_number(params.after), PAGE_PEOPLE + 1)
            shown = page[:PAGE_PEOPLE]
            reports = self._reports(shown)
        return PeopleReport(reports, str(shown[-1].number) if len(page) > PAGE_PEOPLE else None)

    def person(self, person_id: str) -> PersonDetails:
        """One person, with the prints that are complete, and those that ``identify`` has begun."""
        with self._file.reading():
            person = self._records.person(person_id)
            prints = tuple(
                print_report(kept, self._fingerprint)
                for kept in self._records.prints_of(person)
                if kept.is_complete or kept.adapted
            )
            return PersonDetails(self._reports([person])[0], prints)

    def rename(self, person_id: str, name: str) -> PersonReport:
        """Give the person another name; people may be called alike."""
        with self._file.writing():
            person = self._records.person(person_id)
            person.name, person.updated_ms = name, self._now_ms()
            self._records.keep_person(person)
            return self._reports([person])[0]

    def forget(self, person_id: str, print_id: str | None = None) -> ForgetResult:
        """Remove a person, or one print, from the file, byte for byte."""
        with self._file.writing():
            person = self._records.person(person_id)
            prints = self._records.prints_of(person)
            if print_id is None:
                gone = [kept for kept in prints if kept.is_complete]
                self._records.remove_person(person)
            else:
                gone = [kept for kept in prints if kept.id == print_id]
                if not gone:
                    raise UnknownPerson(
                        f"this person has no print {print_id!r}: see person",
                        kind="unknown_print",
                    )
                self._records.remove_prints(gone)
                person.updated_ms = self._now_ms()
                self._records.keep_person(person)
            self._records.want_sweep()
        self._file.sweep()
        return ForgetResult(person.id, person.name, len(gone))

    def export(self, params: ExportPeopleParams) -> ExportResult:
        """People behind ``after`` with the prints of this model, as many as one answer takes."""
        people: list[tuple[Person, list[Print]]] = []
        n_bytes = 0
        with self._file.reading():
            waiting = self._chosen(params)
            for person in waiting[:PAGE_PEOPLE]:
                prints = self._records.prints_of(person, self._fingerprint)
                n_bytes += size_of(prints)
                if people and n_bytes > PAGE_BYTES:
                    break
                people.append((person, prints))
        is_more = len(people) < len(waiting)
        return ExportResult(
            write_export(people), len(people), str(people[-1][0].number) if is_more else None
        )

    def import_(self, params: ImportPeopleParams) -> ImportResult:
        """Take in what was exported, all or nothing; raises what ``read_export`` does."""
        added = replaced = kept_as_is = 0
        with self._file.writing() as revision:
            for sent, prints in read_export(params.data, self._fingerprint, self._dim):
                person = self._records.find(sent.id)
                if person is not None and not params.replace:
                    kept_as_is += 1
                    continue
                if person is None:
                    person = sent
                    added += 1
                else:
                    person.name, person.updated_ms = sent.name, sent.updated_ms
                    mine = self._records.prints_of(person, self._fingerprint)
                    self._records.remove_prints(mine)
                    replaced += 1
                self._records.keep_person(person)
                for kept in prints:
                    if self._records.has_print(kept.id):
                        raise InvalidParams(f"params.data: the print {kept.id!r} is another's")
                    kept.person = person.number
                    self._records.keep_print(kept, revision)
        return ImportResult(added, replaced, kept_as_is)

    def _chosen(self, params: ExportPeopleParams) -> list[Person]:
        """Whom an export is still to have, in order; at least one more than it may take."""
        after = _number(params.after)
        if not params.ids:
            return self._records.people_behind(after, PAGE_PEOPLE + 1)
        people = {(found := self._records.person(one)).number: found for one in params.ids}
        return [people[number] for number in sorted(people) if number > after]

    def _catch_up(self) -> None:
        """Bring the prints in memory to what the file has; for a transaction."""
        revision, removal = self._records.revisions()
        if revision == self._seen:
            return
        is_anew = removal > self._seen
        changed = self._records.complete_prints(self._fingerprint, -1 if is_anew else self._seen)
        if is_anew:
            self._matrix = None
        try:
            for prints in changed:
                if self._matrix is None:
                    # With some room: memory that is not written takes none.
                    room = int(1.1 * self._records.count_complete(self._fingerprint))
                    self._matrix = PrintMatrix(self._dim, room)
                self._matrix.put(prints)
        except ValueError as error:
            raise self._file.damaged("a print has another size than its model's") from error
        self._others = self._records.other_models(self._fingerprint)
        self._seen = revision

    def _reports(self, people: list[Person]) -> tuple[PersonReport, ...]:
        overviews = self._records.overviews(self._fingerprint, [one.number for one in people])
        return tuple(map(person_report, overviews))

    def _incompatible(self, what: str, other: str) -> IncompatibleEmbeddings:
        return IncompatibleEmbeddings(
            f"{what} of the model {other}, and {self._fingerprint} serves: enrol anew with this "
            "model, or start with the other",
            a=other,
            b=self._fingerprint,
        )

    def _now_ms(self) -> int:
        return int(1000 * self._now())


def _number(after: str | None) -> int:
    """Of the person whom ``after``, the ``next`` of an earlier answer, stands for."""
    if after is None:
        return 0
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise InvalidParams("params.after must be the next of an earlier answer")
    return int(after)
