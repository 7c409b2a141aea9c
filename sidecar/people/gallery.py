"""The gallery: people who are enrolled, and whose voice it is that is heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from protocol.errors import InvalidParams, UnknownPerson
from protocol.gallery_params import EnrollParams, IdentifyParams, VerifyParams
from protocol.gallery_reports import (
    EnrollResult,
    IdentifyResult,
    MatchReport,
    PersonName,
    VerifyResult,
)
from protocol.quality import Quality
from sidecar.people import told
from sidecar.people.adaptation import adapt
from sidecar.people.enrolment import Enrolment, Heard, needed_s
from sidecar.people.print_matrix import PrintMatrix
from sidecar.people.recognition import Comparison, Recognition
from sidecar.people.records import PRINT_S, Person, Print, as_columns, new_id
from sidecar.people.registry import Registry
from sidecar.people.voices import Vector, Voice
from sidecar.scores.calibration import Calibration
from sidecar.scores.decision import OperatingPoint


class Gallery(Registry):
    """The people, and what their voices tell. For one thread at a time.

    ``file`` is made where there is none; None: they are in memory. See ``GalleryFile`` for what it
    raises.

    Every method raises ``IncompatibleEmbeddings`` for a voice of another model, and
    ``InvalidParams`` for one that is none.
    """

    def __init__(
        self,
        file: Path | None,
        fingerprint: str,
        dim: int,
        calibration: Calibration | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(file, fingerprint, dim, now)
        self._recognition = Recognition(calibration)

    def enroll(
        self, params: EnrollParams, voices: Sequence[Voice], quality: Quality | None
    ) -> EnrollResult:
        """A new person, or more of one; ``quality``: of the audio, if it is one."""
        heard = [self._heard(voice) for voice in voices]
        with self._file.reading():
            self._catch_up()
        # Nothing is read once it is kept: an error would say that it is not.
        with self._file.writing() as revision:
            now_ms = self._now_ms()
            person = self._enrolled(params, now_ms)
            is_new = not person.number
            kept = [] if is_new else self._records.prints_of(person, self._fingerprint)
            enrolment = Enrolment(
                self._fingerprint,
                [mine for mine in kept if not mine.adapted],
                self._recognition.is_alike,
                now_ms,
            )
            enrolment.enrol(heard)
            if enrolment.used:
                person.updated_ms = now_ms
            self._records.keep_person(person)
            self._records.remove_prints(enrolment.gone)
            for mine in enrolment.changed:
                mine.person = person.number
                self._records.keep_print(mine, revision)
            alike = self._somebody_alike(person, enrolment.used)
            report = self._reports([person])[0]
        missing_s = needed_s(enrolment.prints)
        sent_s = sum(voice.speech_s for voice in heard)
        warnings = told.enrolment_warnings(enrolment, sent_s, missing_s, alike)
        return EnrollResult(
            id=person.id,
            name=person.name,
            created=is_new,
            used=bool(enrolment.used),
            progress=min(1.0, 1 - missing_s / PRINT_S),
            speech_s=report.speech_s,
            needed_s=missing_s,
            agreement=enrolment.agreement,
            prints=report.prints,
            quality=quality,
            warnings=(*warnings, *told.quality_warnings(quality)),
        )

    def verify(self, params: VerifyParams, voice: Voice, quality: Quality | None) -> VerifyResult:
        """Whether it is that person; the most alike of their prints counts."""
        unit = self._unit(voice)
        with self._file.reading():
            person = self._records.person(params.id)
            complete = [kept for kept in self._records.prints_of(person) if kept.is_complete]
        usable = [kept for kept in complete if kept.fingerprint == self._fingerprint]
        if complete and not usable:
            raise self._incompatible("all prints of this person are", complete[0].fingerprint)
        prints = PrintMatrix(self._dim)
        prints.put(as_columns(usable, self._dim))
        nearest = self._recognition.with_adapted(prints.nearest(unit), voice.speech_s)
        if not len(nearest.people):
            raise UnknownPerson(
                "there is no print of this person yet: enrol more speech", kind="no_print"
            )
        [cosine], [print_s] = nearest.cosines.tolist(), nearest.speech_s.tolist()
        point = OperatingPoint(params.far, params.prior)
        decision = self._recognition.decide(cosine, voice.speech_s, print_s, point)
        return VerifyResult(
            id=person.id,
            name=person.name,
            cosine=cosine,
            llr=decision.llr if decision else None,
            probability=decision.probability if decision else None,
            same=decision.same if decision else None,
            threshold=decision.threshold if decision else None,
            at=decision.at if decision else None,
            speech_s=voice.speech_s,
            fingerprint=self._fingerprint,
            quality=quality,
            warnings=(
                *self._recognition.warnings(voice.speech_s),
                *told.quality_warnings(quality),
            ),
        )

    def identify(
        self, params: IdentifyParams, voice: Voice, quality: Quality | None
    ) -> IdentifyResult:
        """Whose voice it is; with ``adapt`` it may become part of that person's print."""
        unit = self._unit(voice)
        point = OperatingPoint(params.far, params.prior)
        compared: Comparison | None = None
        matches: tuple[MatchReport, ...] = ()
        with self._file.reading():
            self._catch_up()
            if self._matrix is None and self._others:
                raise self._incompatible("all prints of the gallery are", next(iter(self._others)))
            if self._matrix is not None:
                enrolled = self._matrix.nearest(unit)
                nearest = self._recognition.with_adapted(enrolled, voice.speech_s)
                if len(nearest.people):
                    compared = self._recognition.compare(nearest, voice.speech_s, point)
                    matches = tuple(self._match(compared, at) for at in compared.order(params.top))
        best = matches[0] if compared and compared.best is not None else None
        adapted = None
        if params.adapt and best and compared and quality and not told.costly_flags(quality):
            adapted = self._adapt(best.id, Heard(unit, voice.speech_s or 0), compared, point)
        return IdentifyResult(
            decision="known" if best else "unknown",
            person=PersonName(best.id, best.name) if best else None,
            matches=matches,
            threshold=compared.threshold if compared else None,
            at=compared.at if compared else None,
            speech_s=voice.speech_s,
            fingerprint=self._fingerprint,
            adapted=adapted,
            quality=quality,
            warnings=(
                *told.other_model(sum(self._others.values())),
                *(self._recognition.warnings(voice.speech_s) if compared else ()),
                *told.quality_warnings(quality),
            ),
        )

    def _enrolled(self, params: EnrollParams, now_ms: int) -> Person:
        """The person who is meant: one who is there, or a new one."""
        if params.id is None:
            assert params.name is not None
            return Person(new_id(), params.name, now_ms, now_ms)
        person = self._records.person(params.id)
        if params.name not in (None, person.name):
            raise InvalidParams(
                f"params.name is not the name of {params.id!r}: leave it out, or use rename_person"
            )
        return person

    def _somebody_alike(self, person: Person, used: Sequence[Heard]) -> Person | None:
        """Somebody else whose voice it could be."""
        if not used or self._matrix is None:
            return None
        total = np.sum([voice.unit * np.float32(voice.speech_s) for voice in used], axis=0)
        length = float(np.linalg.norm(total))
        if not length:
            return None
        others = self._matrix.nearest(total / np.float32(length)).without(person.number)
        number = self._recognition.sounds_like(others, sum(voice.speech_s for voice in used))
        return None if number is None else self._records.find_numbered(number)

    def _match(self, compared: Comparison, place: int) -> MatchReport:
        person = self._records.numbered(int(compared.nearest.people[place]))
        return MatchReport(
            id=person.id,
            name=person.name,
            cosine=float(compared.nearest.cosines[place]),
            llr=None if compared.llrs is None else float(compared.llrs[place]),
            probability=(
                None if compared.probabilities is None else float(compared.probabilities[place])
            ),
        )

    def _adapt(
        self, person_id: str, heard: Heard, compared: Comparison, point: OperatingPoint
    ) -> str | None:
        """The adapted print that took it in; None where that would not be sure."""
        if not compared.is_sure:
            return None
        with self._file.writing() as revision:
            person = self._records.find(person_id)
            if person is None:  # another process was faster
                return None
            prints = self._records.prints_of(person, self._fingerprint)
            if not self._is_known_as_enrolled(prints, heard, compared, point):
                return None
            adapted = adapt(prints, heard.unit, heard.speech_s, self._now_ms())
            if adapted is None:
                return None
            adapted.person = person.number
            self._records.keep_print(adapted, revision)
        return adapted.id

    def _is_known_as_enrolled(
        self, prints: Sequence[Print], heard: Heard, compared: Comparison, point: OperatingPoint
    ) -> bool:
        """Whether what was enrolled would have known this voice, without what was adapted since."""
        for kept in prints:
            if kept.is_complete and not kept.adapted:
                cosine = float(kept.unit @ heard.unit)
                alone = self._recognition.decide(cosine, heard.speech_s, kept.speech_s, point)
                assert compared.threshold is not None
                if alone is not None and alone.llr >= max(0.0, compared.threshold):
                    return True
        return False

    def _heard(self, voice: Voice) -> Heard:
        if voice.speech_s is None:
            raise InvalidParams(
                "an enrolment must know how much speech there is: send it with speech auto, so "
                "that the model that hears speech is fetched"
            )
        return Heard(self._unit(voice), voice.speech_s)

    def _unit(self, voice: Voice) -> Vector:
        if voice.fingerprint != self._fingerprint:
            raise self._incompatible("the embedding is", voice.fingerprint)
        if len(voice.embedding) != self._dim:
            raise InvalidParams(
                f"an embedding has {len(voice.embedding)} numbers, but this model's have "
                f"{self._dim}"
            )
        return voice.unit
