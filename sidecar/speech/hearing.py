"""The step behind the decoder: whether somebody speaks in what was decoded. Imports no numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from protocol.errors import BadAudio
from protocol.gallery_params import EnrollParams
from protocol.methods import Params
from protocol.params import Audio, SpeechParams, SpeechUse
from protocol.payload import MAX_ARRAY_ITEMS
from protocol.quality import NEEDED_SPEECH_S, SpeechResult
from protocol.reports import AudioWarning
from sidecar.audio.waveform import Decoded, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.engine.lazy_loader import LazyLoader
from sidecar.speech.segments import Segment, SegmentRule, count_samples

if TYPE_CHECKING:
    # They import numpy, for which the reader does not wait.
    from sidecar.audio.decoder import Decoder
    from sidecar.speech.detector import SpeechDetector
    from sidecar.speech.heard import Heard

# What is heard in one step, between which others have their turn: 2 to 3 ms of work.
PIECE_SAMPLES = 8 * SAMPLE_RATE_HZ


class Hearing:
    """Decodes as ``decoder`` does, and hears each audio that is embedded whole.

    Args:
        decoder: see ``Decoder``.
        loader: has the detector, or gets it.
    """

    def __init__(self, decoder: Decoder, loader: LazyLoader[SpeechDetector]) -> None:
        self._decoder = decoder
        self._loader = loader

    def decode(
        self, audio: Audio, params: Params, is_given_up: Callable[[], bool] = lambda: False
    ) -> Generator[Decoded, None, None]:
        """See ``Decoder.decode``; the steps of a whole audio also bring its quality.

        Raises:
            BadAudio: also: there is too little speech in it for what ``params`` ask.
            ModelUnavailable: the detector is needed, and cannot be had.
        """
        if isinstance(params, SpeechParams):
            return self._segments(audio, params, is_given_up)
        use: SpeechUse | None = getattr(params, "speech", None)
        if use is None:  # windows, segments, probe
            return self._decoder.decode(audio, params, is_given_up)
        # An enrolment has to know how much speech there is.
        if use == "all" and not isinstance(params, EnrollParams):
            return self._embedded_first(audio, params, is_given_up)
        return self._heard_first(audio, params, use, is_given_up)

    def _embedded_first(
        self, audio: Audio, params: Params, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        """All of it at once, and then, while the device has it, its quality."""
        step, waveform = yield from _whole(self._decoder.decode(audio, params, is_given_up))
        n_bytes = waveform.samples.nbytes
        yield replace(step, is_last=False, is_cut=True, held_bytes=n_bytes)
        aside = replace(step, part=None, is_last=False, held_bytes=n_bytes)
        self._loader.begin()
        while self._loader.is_loading:
            yield replace(aside, until=lambda: not self._loader.is_loading)
        heard = yield from _hear(waveform, self._loader.network, aside)
        yield replace(step, part=None, quality=heard.quality)

    def _heard_first(
        self, audio: Audio, params: Params, use: SpeechUse, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        """Its speech, or all of it; nothing, where ``use`` asks for more speech than there is."""
        detector = yield from self._loader.awaited()
        step, waveform = yield from _whole(self._decoder.decode(audio, params, is_given_up))
        aside = replace(step, part=None, is_last=False, held_bytes=waveform.samples.nbytes)
        heard = yield from _hear(waveform, detector, aside)
        assert step.part is not None
        assert heard.speech_s is not None
        if use != "all" and heard.speech_s < NEEDED_SPEECH_S:
            raise _no_speech(heard.speech_s)
        if use == "auto":
            step = replace(step, part=replace(step.part, waveform=heard.speech()))
        yield replace(step, quality=heard.quality)

    def _segments(
        self, audio: Audio, params: SpeechParams, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        """Where in it somebody speaks, with no more of it held than a piece."""
        listening = (yield from self._loader.awaited()).listen()
        rule, found, n_heard = SegmentRule(), list[Segment](), 0
        odd: dict[str, AudioWarning] = {}
        with contextlib.closing(self._decoder.decode(audio, params, is_given_up)) as decoding:
            for step in decoding:
                if step.part is None or not isinstance(step.part.waveform, Waveform):
                    yield replace(step, is_last=False)
                    continue
                samples = step.part.waveform.samples
                n_heard += len(samples)
                for warning in step.part.waveform.warnings:
                    odd.setdefault(warning.kind, warning)
                found += rule.feed(listening.feed(samples).tolist())
                _check_count(found, n_heard)
                yield replace(step, part=None, is_last=False)
        found += rule.feed(listening.finish().tolist())
        found += rule.finish(n_heard)
        _check_count(found, n_heard)
        start_s = audio.start_s or 0.0
        result = SpeechResult(
            tuple((start_s + a / SAMPLE_RATE_HZ, start_s + b / SAMPLE_RATE_HZ) for a, b in found),
            count_samples(found) / SAMPLE_RATE_HZ,
            n_heard / SAMPLE_RATE_HZ,
            (*step.warnings, *odd.values()),
        )
        yield Decoded(None, is_last=True, told=result)


def _whole(
    decoding: Generator[Decoded, None, None],
) -> Generator[Decoded, None, tuple[Decoded, Waveform]]:
    """All steps but the last; that one, and the waveform that it brings."""
    with contextlib.closing(decoding):
        for step in decoding:
            if step.part is not None and isinstance(step.part.waveform, Waveform):
                break
            yield step
    assert step.part is not None
    assert isinstance(step.part.waveform, Waveform)
    return step, step.part.waveform


def _hear(
    waveform: Waveform, detector: SpeechDetector | None, aside: Decoded
) -> Generator[Decoded, None, Heard]:
    """What there is to hear in ``waveform``; a step, ``aside``, for each piece of it."""
    # It imports numpy.
    from sidecar.speech.heard import Heard  # noqa: PLC0415

    if detector is None:
        return Heard(waveform, None)
    listening, rule, segments = detector.listen(), SegmentRule(), list[Segment]()
    for start in range(0, waveform.n_samples, PIECE_SAMPLES):
        piece = waveform.samples[start : start + PIECE_SAMPLES]
        is_last = start + PIECE_SAMPLES >= waveform.n_samples
        probabilities = (listening.finish if is_last else listening.feed)(piece)
        segments += rule.feed(probabilities.tolist())
        yield aside
    segments += rule.finish(waveform.n_samples)
    return Heard(waveform, segments)


def _check_count(found: list[Segment], n_heard: int) -> None:
    if len(found) > MAX_ARRAY_ITEMS:
        raise BadAudio(
            f"the first {n_heard / SAMPLE_RATE_HZ:.0f} s have more than {MAX_ARRAY_ITEMS:,} "
            "segments of speech, and no answer holds more: ask for a part of it (start_s, end_s)",
            kind="too_many_segments",
            max_segments=MAX_ARRAY_ITEMS,
        )


def _no_speech(speech_s: float) -> BadAudio:
    found = (
        "nobody speaks in it" if speech_s == 0 else f"somebody speaks in it for {speech_s:.2f} s"
    )
    return BadAudio(
        f"{found}, and {NEEDED_SPEECH_S:g} s of speech are needed: send more of it, or speech: "
        "all to use it as it is",
        kind="no_speech",
        speech_s=speech_s,
        needed_s=NEEDED_SPEECH_S,
    )
