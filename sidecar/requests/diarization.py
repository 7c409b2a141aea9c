"""From a recording whose voices are all embedded to who spoke when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from protocol.diarization import DiarizeParams, DiarizeResult, SpeakerReport, TurnReport
from protocol.errors import BadAudio, SidecarError
from protocol.gallery_reports import IdentifyResult
from protocol.reports import AudioWarning
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.heard_chunks import HeardActivity
from sidecar.diarization.speakers import (
    FloatArray,
    VoicePlace,
    find_people,
    local_speakers,
    max_distance,
)
from sidecar.diarization.timeline import Turn, spoken, turns_of
from sidecar.people.voices import Voice
from sidecar.requests.jobs import Job
from sidecar.requests.responses import Served

# An answer holds no more: see section 3 of the specification.
MAX_TURNS = 20_000


def diarization_of(
    job: Job,
    params: DiarizeParams,
    served: Served,
    identify: Callable[[Voice], IdentifyResult],
) -> DiarizeResult:
    """The answer to ``job``.

    ``identify`` says whose voice it is; it is asked of each speaker, if ``params`` want it.

    Raises:
        BadAudio: there are more turns than an answer can hold.
        SidecarError: what ``identify`` raises.
    """
    [source] = job.sources
    heard = source.activity
    assert isinstance(heard, HeardActivity)
    result = DiarizeResult(
        turns=(),
        speakers=(),
        dim=served.dim,
        model=served.model,
        fingerprint=served.fingerprint,
        duration_s=heard.n_samples / SAMPLE_RATE_HZ,
        warnings=source.warnings,
    )
    exactly = params.n_speakers
    least, most = exactly or params.min_speakers or 1, exactly or params.max_speakers
    local = local_speakers(heard.chunks, _embedded(job, heard))
    people = find_people(local, max_distance(served.fingerprint), least, most)
    if people is None:
        return result
    turns = spoken(
        turns_of(heard.chunks, people, heard.n_samples, exclusive=params.exclusive), heard.speech
    )
    if len(turns) > MAX_TURNS:
        raise BadAudio(
            f"it has {len(turns):,} turns, and no answer holds more than {MAX_TURNS:,}: ask for a "
            "part of it (start_s, end_s)",
            kind="too_many_turns",
            max_turns=MAX_TURNS,
        )
    in_order = list(dict.fromkeys(turn.person for turn in turns))
    labels = {person: f"S{number}" for number, person in enumerate(in_order, start=1)}
    start_s = params.audio.start_s or 0.0
    speakers, odd = [], dict[str, AudioWarning]()
    for person, label in labels.items():
        speaker = _speaker(
            label, people.centroids[person], [t for t in turns if t.person == person]
        )
        if params.identify:
            voice = Voice(people.centroids[person], speaker.speech_s, served.fingerprint)
            found = identify(voice)
            odd.update((warning.kind, warning) for warning in found.warnings)
            speaker = _named(speaker, found)
        speakers.append(speaker)
    return replace(
        result,
        turns=tuple(
            TurnReport(start_s + t.start_s, start_s + t.end_s, labels[t.person], t.overlap)
            for t in turns
        ),
        speakers=tuple(speakers),
        warnings=(*result.warnings, *odd.values()),
    )


def _embedded(job: Job, heard: HeardActivity) -> Iterator[tuple[VoicePlace, FloatArray]]:
    for item in job.items:
        assert item.outcome is not None
        assert not isinstance(item.outcome, SidecarError)  # then there is no question
        yield heard.voices[item.index], item.outcome.values


def _speaker(label: str, centroid: FloatArray, turns: list[Turn]) -> SpeakerReport:
    speech_s = sum(turn.end_s - turn.start_s for turn in turns)
    return SpeakerReport(label, centroid.astype("<f4").tobytes(), speech_s)


def _named(speaker: SpeakerReport, found: IdentifyResult) -> SpeakerReport:
    if found.person is None:
        return speaker
    best = found.matches[0]
    return replace(speaker, person=found.person, llr=best.llr, probability=best.probability)
