"""From a step of a stream, whose voices are all embedded, to what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from protocol.diarization import DiarizeResult
from protocol.errors import SidecarError
from protocol.gallery_reports import IdentifyResult
from protocol.reports import AudioWarning
from protocol.streams import StreamLevel, StreamNotification, StreamTurn
from sidecar.diarization.live import LiveLevel, LiveTurn, Named
from sidecar.diarization.speakers import FloatArray, People, max_distance
from sidecar.diarization.streaming import HeardStream, StreamStep
from sidecar.diarization.timeline import Turn
from sidecar.people.voices import Voice
from sidecar.requests.diarization import Heard, Label, embeddings_of, who_spoke
from sidecar.requests.jobs import Job, StreamAnswer
from sidecar.requests.known_speakers import check_known
from sidecar.requests.responses import Served

_log = logging.getLogger(__name__)


def stream_answer(
    job: Job, step: StreamStep, served: Served, identify: Callable[[Voice], IdentifyResult]
) -> StreamAnswer:
    """What ``job``, a step of a stream, has to tell.

    Raises:
        BadAudio: there are more turns than an answer can hold.
        IncompatibleEmbeddings: who is known was embedded by another model.
    """
    stream = step.stream
    live, params = stream.live, stream.params
    assert live is not None  # it was heard on
    if not stream.are_speakers_checked:  # at the opening the model may have been loading
        check_known(params.speakers, served)
        stream.are_speakers_checked = True
    asking = _Asking(stream, served, identify)
    most_apart = max_distance(served.fingerprint)
    turns = live.heard(
        list(embeddings_of(job)), most_apart, asking.name if params.identify else None
    )
    result = None
    if step.ending is not None:
        turns += live.finish()
    told: list[StreamNotification] = [_turn(turn, stream) for turn in turns]
    levels = live.take_levels()
    if params.detail == "levels":
        told += [_level(level, stream) for level in levels]
    if step.ending is not None:
        result = _in_hindsight(step, served, asking)
    return StreamAnswer(tuple(told), result)


class _Asking:
    """Asks the gallery; where that cannot be done, nobody is named, and a warning says why."""

    def __init__(
        self, stream: HeardStream, served: Served, identify: Callable[[Voice], IdentifyResult]
    ) -> None:
        self._stream = stream
        self._fingerprint = served.fingerprint
        self._identify = identify

    def name(self, unit: FloatArray, speech_s: float) -> Named | None:
        """Whose voice it is; None: it is not known."""
        found = self.identify(Voice(unit, speech_s, self._fingerprint))
        if found is None or found.person is None:
            return None
        best = found.matches[0]
        assert best.llr is not None  # somebody is known by nothing else
        assert best.probability is not None
        return Named(found.person, best.llr, best.probability)

    def identify(self, voice: Voice) -> IdentifyResult | None:
        """What the gallery says; None: it cannot be asked."""
        try:
            return self._identify(voice)
        except SidecarError as error:
            if "gallery_unavailable" not in self._stream.odd:
                _log.warning("a stream's speakers have no names: %s", error.message)
            self._stream.odd["gallery_unavailable"] = AudioWarning(
                "gallery_unavailable", f"nobody has a name: {error.message}", {}
            )
            return None


def _in_hindsight(step: StreamStep, served: Served, asking: _Asking) -> DiarizeResult:
    stream, ending, live = step.stream, step.ending, step.stream.live
    assert ending is not None
    assert live is not None

    def labels_of(people: People, turns: Sequence[Turn]) -> dict[int, Label]:
        return {who: Label(*label) for who, label in live.labels_of(people, turns).items()}

    heard = Heard(live.activity, live.embeddings, stream.params.start_s, ())
    identify = asking.identify if stream.params.identify else None
    result = who_spoke(heard, ending, served, identify, labels_of)
    return replace(result, warnings=(*result.warnings, *stream.odd.values()))


def _turn(turn: LiveTurn, stream: HeardStream) -> StreamTurn:
    start_s, named = stream.params.start_s, turn.named
    told = StreamTurn(
        stream=stream.name,
        turn=turn.turn,
        start_s=start_s + turn.start_s,
        end_s=None if turn.end_s is None else start_s + turn.end_s,
        final=turn.final,
        speaker=turn.label,
        speech_s=turn.speech_s,
        embedding=None if turn.embedding is None else turn.embedding.astype("<f4").tobytes(),
    )
    if named is None:
        return told
    return replace(told, person=named.person, llr=named.llr, probability=named.probability)


def _level(level: LiveLevel, stream: HeardStream) -> StreamLevel:
    start_s = stream.params.start_s
    return StreamLevel(
        stream.name,
        start_s + level.start_s,
        start_s + level.end_s,
        level.rms_dbfs,
        level.peak_dbfs,
        level.speech,
    )
