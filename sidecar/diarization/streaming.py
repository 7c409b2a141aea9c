"""A stream on its way from the requests to what hears it. Imports no numpy."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from protocol.params import PcmAudio
from protocol.reports import AudioWarning
from protocol.streams import StreamCloseParams, StreamOpenParams
from sidecar.audio.waveform import Decoded
from sidecar.engine.lazy_loader import LazyLoader

if TYPE_CHECKING:
    # They import numpy, for which the reader does not wait.
    from sidecar.audio.pushed_pcm import PushedPcm
    from sidecar.diarization.live import LiveDiarization
    from sidecar.engine.segmentation import Segmenter
    from sidecar.speech.detector import SpeechDetector


@dataclass(eq=False, slots=True)
class HeardStream:
    """What is known of a stream; one step of it at a time is worked on.

    Attributes:
        name: its own.
        params: as what it was opened.
        pcm: makes waveforms of what was pushed.
        live: who speaks; None: nothing was heard yet.
        odd: what was odd about its audio, by kind.
        are_speakers_checked: those of ``params`` are of the model that serves.
    """

    name: str
    params: StreamOpenParams
    pcm: PushedPcm
    live: LiveDiarization | None = None
    odd: dict[str, AudioWarning] = field(default_factory=dict)
    are_speakers_checked: bool = False


@dataclass(eq=False, slots=True)
class StreamStep:
    """A stream is to be heard on; with ``ending`` to its end, and told in hindsight."""

    stream: HeardStream
    ending: StreamCloseParams | None = None


def hear_on(
    step: StreamStep,
    audio: PcmAudio,
    segmenter: LazyLoader[Segmenter],
    detector: LazyLoader[SpeechDetector],
) -> Generator[Decoded, None, None]:
    """The voices that are heard in what was pushed, step by step.

    Raises:
        ModelUnavailable: the segmentation network is needed, and cannot be had.
    """
    from sidecar.diarization.live import LiveDiarization  # noqa: PLC0415

    network = yield from segmenter.awaited()
    yield from detector.settling()
    stream, is_end = step.stream, step.ending is not None
    if stream.live is None:
        stream.live = LiveDiarization(network, detector.network, stream.params.speakers)
    for waveform in stream.pcm.feed(audio.pcm, is_last=is_end):
        for warning in waveform.warnings:
            stream.odd.setdefault(warning.kind, warning)
        stream.live.append(waveform.samples)
    for part in stream.live.next_voices(is_end=is_end):
        yield Decoded(part, held_bytes=stream.live.n_bytes)
    yield Decoded(None, is_last=True)
