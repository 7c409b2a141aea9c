"""The step behind the decoder that hears who speaks when. Imports no numpy at first."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from protocol.diarization import DiarizeParams
from protocol.methods import Params
from protocol.params import Audio, PcmAudio
from protocol.reports import AudioWarning
from sidecar.audio.waveform import Decoded, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.diarization.streaming import StreamStep, hear_on
from sidecar.engine.lazy_loader import LazyLoader
from sidecar.speech.hearing import Hearing

if TYPE_CHECKING:
    # It imports numpy, for which the reader does not wait.
    from sidecar.engine.segmentation import Segmenter
    from sidecar.speech.detector import SpeechDetector


class Diarizing:
    """Decodes as ``hearing`` does, and hears who speaks when for ``diarize``.

    Args:
        hearing: see ``Hearing``.
        segmenter: has the segmentation network, or gets it.
        detector: has what hears speech, or gets it; without it music may be taken for somebody.
    """

    def __init__(
        self,
        hearing: Hearing,
        segmenter: LazyLoader[Segmenter],
        detector: LazyLoader[SpeechDetector],
    ) -> None:
        self._hearing = hearing
        self._segmenter = segmenter
        self._detector = detector

    def decode(
        self,
        audio: Audio,
        params: Params | StreamStep,
        is_given_up: Callable[[], bool] = lambda: False,
    ) -> Generator[Decoded, None, None]:
        """See ``Hearing.decode``; for ``diarize`` and streams the voices of who is heard.

        Raises:
            ModelUnavailable: also: the segmentation network is needed, and cannot be had.
        """
        if isinstance(params, StreamStep):
            assert isinstance(audio, PcmAudio)
            return hear_on(params, audio, self._segmenter, self._detector)
        if isinstance(params, DiarizeParams):
            return self._voices(audio, params, is_given_up)
        return self._hearing.decode(audio, params, is_given_up)

    def _voices(
        self, audio: Audio, params: Params, is_given_up: Callable[[], bool]
    ) -> Generator[Decoded, None, None]:
        from sidecar.diarization.heard_chunks import HeardChunks  # noqa: PLC0415

        segmenter = yield from self._segmenter.awaited()
        yield from self._detector.settling()
        heard = HeardChunks(segmenter, self._detector.network)
        odd: dict[str, AudioWarning] = {}
        with contextlib.closing(self._hearing.decode(audio, params, is_given_up)) as decoding:
            for step in decoding:
                told = replace(step, part=None, is_last=False, activity=heard.activity)
                if step.part is not None and isinstance(step.part.waveform, Waveform):
                    for warning in step.part.waveform.warnings:
                        odd.setdefault(warning.kind, warning)
                    heard.append(step.part.waveform.samples)
                yield replace(told, held_bytes=step.held_bytes + heard.n_bytes)
                while heard.has_chunk(is_end=step.is_last):
                    for part in heard.next_voices():
                        yield replace(told, part=part, held_bytes=step.held_bytes + heard.n_bytes)
                    yield replace(told, held_bytes=step.held_bytes + heard.n_bytes)
        heard.finish()
        yield Decoded(
            None,
            is_last=True,
            warnings=(*step.warnings, *odd.values()),
            duration_s=heard.activity.n_samples / SAMPLE_RATE_HZ,
            activity=heard.activity,
        )
