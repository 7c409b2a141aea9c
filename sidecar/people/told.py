"""What the gallery tells of people and their prints: reports and warnings, in words for people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from protocol.gallery_reports import PersonReport, PrintReport
from protocol.quality import NEEDED_SPEECH_S, Quality
from protocol.reports import AudioWarning
from sidecar.people.enrolment import MAX_PRINTS, Enrolment
from sidecar.people.records import PRINT_S, Overview, Person, Print


def iso_time(unix_ms: int) -> str:
    """ISO 8601, in UTC, with milliseconds."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    # A file may hold any number, and years end at 9999.
    latest_ms = 253_402_300_799_999
    time = epoch + dt.timedelta(milliseconds=min(max(unix_ms, 0), latest_ms))
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def person_report(overview: Overview) -> PersonReport:
    """One person, as ``people`` tells it."""
    person = overview.person
    return PersonReport(
        id=person.id,
        name=person.name,
        prints=overview.prints,
        speech_s=overview.speech_s,
        needed_s=max(0.0, PRINT_S - overview.most_s),
        progress=min(1.0, overview.most_s / PRINT_S),
        created_at=iso_time(person.created_ms),
        updated_at=iso_time(person.updated_ms),
    )


def print_report(kept: Print, fingerprint: str) -> PrintReport:
    """One print, as ``person`` tells it; ``fingerprint``: of the model that serves."""
    return PrintReport(
        id=kept.id,
        speech_s=kept.speech_s,
        audios=kept.audios,
        fingerprint=kept.fingerprint,
        usable=kept.is_complete and kept.fingerprint == fingerprint,
        adapted=kept.adapted,
        created_at=iso_time(kept.created_ms),
        updated_at=iso_time(kept.updated_ms),
    )


def enrolment_warnings(
    enrolment: Enrolment, sent_s: float, needed_s: float, alike: Person | None
) -> list[AudioWarning]:
    """What is to be told of an enrolment of ``sent_s`` of speech; ``alike``: who else it may be."""
    warnings = []
    if needed_s > 0 or not (enrolment.used or enrolment.is_full or enrolment.outliers):
        message = f"{sent_s:.1f} s of speech: " + (
            f"{needed_s:.1f} s more are needed before this person can be recognised"
            if needed_s > 0
            else "too little to improve a print, so it was not used"
        )
        details = {"speech_s": sent_s, "needed_s": needed_s}
        warnings.append(AudioWarning("too_little_speech", message, details))
    for place in enrolment.outliers:
        message = f"the embedding {place} is not like the others, and was left out"
        warnings.append(AudioWarning("outlier", message, {"index": place}))
    if enrolment.differs:
        message = "it does not sound like this person's other prints: " + (
            f"there are {MAX_PRINTS} already, so it was left out"
            if enrolment.is_full
            else "another channel or mood, or another person"
        )
        warnings.append(AudioWarning("differs", message, {}))
    if alike is not None:
        message = f"it sounds like {alike.name}, who is in the gallery already"
        warnings.append(AudioWarning("sounds_like", message, {"id": alike.id, "name": alike.name}))
    return warnings


def quality_warnings(quality: Quality | None) -> list[AudioWarning]:
    """That flags of it cost accuracy; too little speech is told elsewhere."""
    flags = costly_flags(quality)
    if not flags:
        return []
    message = f"the recording costs accuracy: {', '.join(flags)}"
    return [AudioWarning("poor_quality", message, {"flags": flags})]


def costly_flags(quality: Quality | None) -> list[str]:
    """The flags of a recording that does not do a voice justice."""
    return [flag for flag in quality.flags if flag != "little_speech"] if quality else []


def other_model(others: int) -> Sequence[AudioWarning]:
    """That so many prints of another model were left out."""
    if not others:
        return ()
    message = f"{others} prints are of another model, and were left out: enrol these people again"
    return (AudioWarning("other_model", message, {"prints": others}),)


def not_told(speech_s: float | None, *, is_calibrated: bool) -> Sequence[AudioWarning]:
    """Why nothing but cosines can be told."""
    if not is_calibrated:
        message = (
            "there is no calibration for this model, so only cosines can be told, and nobody is "
            "known: make one with speaker-sidecar calibrate"
        )
        return (AudioWarning("not_calibrated", message, {}),)
    if speech_s is None:
        message = (
            "it is not known how much speech there was, so only cosines can be told: send the "
            "speech_s of the embedding's quality with it"
        )
        return (AudioWarning("speech_unknown", message, {}),)
    if speech_s < NEEDED_SPEECH_S:
        message = (
            f"{speech_s:.1f} s of speech: {NEEDED_SPEECH_S:g} s are needed to tell whose voice it "
            "is, so only cosines are told"
        )
        details = {"speech_s": speech_s, "needed_s": NEEDED_SPEECH_S}
        return (AudioWarning("too_little_speech", message, details),)
    return ()
