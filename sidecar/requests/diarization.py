"""From a recording, or a stream, whose voices are all embedded to who spoke when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from protocol.diarization import DiarizeParams, DiarizeResult, SpeakerReport, TurnReport
from protocol.errors import BadAudio, SidecarError
from protocol.gallery_reports import IdentifyResult
from protocol.reports import AudioWarning
from protocol.streams import StreamCloseParams
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.heard_chunks import HeardActivity
from sidecar.diarization.hindsight import who_spoke_when
from sidecar.diarization.speakers import FloatArray, People
from sidecar.diarization.timeline import Turn
from sidecar.people.voices import Voice
from sidecar.requests.jobs import Job
from sidecar.requests.responses import Served

# An answer holds no more: see section 3 of the specification.
MAX_TURNS = 20_000

# None: nobody could be asked.
Identify: TypeAlias = Callable[[Voice], IdentifyResult | None]


class Label(NamedTuple):
    """What a speaker is called; ``also``: what else they were called, live."""

    label: str
    also: tuple[str, ...] = ()


Labels: TypeAlias = Callable[[People, Sequence[Turn]], Mapping[int, Label]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard, and embedded, from ``start_s`` on; ``warnings`` are about the audio."""

    activity: HeardActivity
    embeddings: Sequence[FloatArray]
    start_s: float
    warnings: tuple[AudioWarning, ...]


def diarization_of(
    job: Job, params: DiarizeParams, served: Served, identify: Identify
) -> DiarizeResult:
    """The answer to ``job``.

    ``identify`` says whose voice it is; it is asked of each speaker, if ``params`` want it.

    Raises:
        BadAudio: there are more turns than an answer can hold.
        SidecarError: what ``identify`` raises.
    """
    [source] = job.sources
    activity = source.activity
    assert isinstance(activity, HeardActivity)
    embeddings = list(embeddings_of(job))
    heard = Heard(activity, embeddings, params.audio.start_s or 0.0, source.warnings)
    return who_spoke(heard, params, served, identify if params.identify else None, _by_start)


def who_spoke(
    heard: Heard,
    params: DiarizeParams | StreamCloseParams,
    served: Served,
    identify: Identify | None,
    labels_of: Labels,
) -> DiarizeResult:
    """Who spoke when in what was heard.

    Raises:
        BadAudio: there are more turns than an answer can hold.
        SidecarError: what ``identify`` raises.
    """
    activity = heard.activity
    result = DiarizeResult(
        turns=(),
        speakers=(),
        dim=served.dim,
        model=served.model,
        fingerprint=served.fingerprint,
        duration_s=activity.n_samples / SAMPLE_RATE_HZ,
        warnings=heard.warnings,
    )
    exactly = params.n_speakers
    n_people = exactly or params.min_speakers or 1, exactly or params.max_speakers
    found = who_spoke_when(
        activity, heard.embeddings, served.fingerprint, n_people, exclusive=params.exclusive
    )
    if found is None:
        return result
    people, turns = found
    if len(turns) > MAX_TURNS:
        raise BadAudio(
            f"it has {len(turns):,} turns, and no answer holds more than {MAX_TURNS:,}: ask for a "
            "part of a recording (start_s, end_s), and close a stream earlier",
            kind="too_many_turns",
            max_turns=MAX_TURNS,
        )
    labels = labels_of(people, turns)
    speakers, odd = [], dict[str, AudioWarning]()
    for person, label in labels.items():
        speaker = _speaker(
            label, people.centroids[person], [t for t in turns if t.person == person]
        )
        if identify is not None:
            voice = Voice(people.centroids[person], speaker.speech_s, served.fingerprint)
            told = identify(voice)
            if told is not None:
                odd.update((warning.kind, warning) for warning in told.warnings)
                speaker = _named(speaker, told)
        speakers.append(speaker)
    return replace(
        result,
        turns=tuple(
            TurnReport(
                heard.start_s + t.start_s,
                heard.start_s + t.end_s,
                labels[t.person].label,
                t.overlap,
            )
            for t in turns
        ),
        speakers=tuple(speakers),
        warnings=(*result.warnings, *odd.values()),
    )


def embeddings_of(job: Job) -> Iterator[FloatArray]:
    """Those of all items of ``job``, none of which has failed, in their order."""
    for item in job.items:
        assert item.outcome is not None
        assert not isinstance(item.outcome, SidecarError)  # then there is no question
        yield item.outcome.values


def _by_start(_: People, turns: Sequence[Turn]) -> dict[int, Label]:
    """``S1``, ``S2`` ... by who speaks first."""
    in_order = list(dict.fromkeys(turn.person for turn in turns))
    return {person: Label(f"S{number}") for number, person in enumerate(in_order, start=1)}


def _speaker(label: Label, centroid: FloatArray, turns: list[Turn]) -> SpeakerReport:
    speech_s = sum(turn.end_s - turn.start_s for turn in turns)
    embedding = centroid.astype("<f4").tobytes()
    return SpeakerReport(label.label, embedding, speech_s, also=label.also)


def _named(speaker: SpeakerReport, found: IdentifyResult) -> SpeakerReport:
    if found.person is None:
        return speaker
    best = found.matches[0]
    return replace(speaker, person=found.person, llr=best.llr, probability=best.probability)
