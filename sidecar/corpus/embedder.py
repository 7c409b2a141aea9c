"""One decoder and one encoder, as ``serve`` has them, for rows of a corpus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from protocol.diarization import DiarizeParams
from protocol.errors import BadAudio, DeviceError, OutOfMemory, SidecarError
from protocol.methods import Params
from protocol.params import Audio, EmbedParams, PathAudio, SpeechUse
from protocol.quality import Quality
from sidecar.audio.decoder import Decoder
from sidecar.audio.waveform import Decoded, Waveform
from sidecar.config import SAMPLE_RATE_HZ, Config
from sidecar.corpus.batches import alike
from sidecar.corpus.storage import on_this_machine
from sidecar.corpus.utterances import Embedded, Failed, FloatArray, Listed
from sidecar.corpus.voices import voices_of
from sidecar.diarization import opening as diarization_opening
from sidecar.diarization.diarizing import Diarizing
from sidecar.engine.encoder import Embedding, Encoder
from sidecar.engine.lazy_loader import LazyLoader
from sidecar.engine.speech_engine import SpeechEngine
from sidecar.speech import opening as speech_opening
from sidecar.speech.hearing import Hearing

# What is decoded waits for others of its length: so many batches of the longest, at most.
_BATCHES_HELD = 4


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """What was decoded of an utterance, and what there was to hear in it."""

    listed: Listed
    waveform: Waveform
    duration_s: float
    quality: Quality | None


class Embedder:
    """Decodes, hears and embeds.

    Args:
        config: the model, the device and its threads.
        speech: what of an utterance is embedded, as for ``embed``.
        n_decoders: threads that decode ahead; 0: each row is decoded before it is embedded, on the
            one thread that does both.

    Raises:
        ModelUnavailable, DeviceError: it cannot serve.
    """

    def __init__(self, config: Config, speech: SpeechUse, n_decoders: int = 0) -> None:
        engine = SpeechEngine(config)
        self._decoder: Decoder = engine.import_libraries()
        self._speech: SpeechUse = speech
        self._detector = LazyLoader(
            speech_opening.from_store(config), lambda: False, speech_opening.DOES
        )
        self._segmenter = LazyLoader(
            diarization_opening.from_store(config), lambda: False, diarization_opening.DOES
        )
        self._detector.begin()
        self._encoder: Encoder = engine.open(lambda _progress: None, lambda: False)
        self._detector.wait()
        self._pool = ThreadPoolExecutor(n_decoders) if n_decoders else None
        self._n_ahead = 2 * n_decoders

    @property
    def model(self) -> str:
        """The model's id."""
        return str(self._encoder.model.id)

    @property
    def fingerprint(self) -> str:
        """What embeddings must have in common to be compared."""
        return str(self._encoder.model.fingerprint)

    @property
    def dim(self) -> int:
        """How many numbers an embedding has."""
        return self._encoder.model.embedding_dim

    def embed(
        self, rows: Iterable[Listed], begin: Callable[[Listed], None] | None = None
    ) -> Iterator[Embedded | Failed]:
        """What comes of each row, in any order: one, or of a long recording one for each voice.

        ``begin`` is called before a row is touched; then one row is done after the other.

        Raises:
            DeviceError: the device failed.
        """
        limits = self._encoder.batch_limits
        held: list[_Heard] = []
        n_samples = 0
        for heard in map(self._hear, _announced(rows, begin)) if begin else self._heard(rows):
            if isinstance(heard, Failed):
                yield heard
            elif isinstance(heard, Listed):
                yield from self._voices(heard)
            else:
                held.append(heard)
                n_samples += heard.waveform.n_samples
            is_enough = (
                len(held) >= _BATCHES_HELD * limits.max_items
                or n_samples >= _BATCHES_HELD * limits.max_padded_samples
            )
            if held and (begin or is_enough):
                yield from self._embed_held(held)
                held, n_samples = [], 0
        yield from self._embed_held(held)

    def _heard(self, rows: Iterable[Listed]) -> Iterator[_Heard | Failed | Listed]:
        """Each row, heard; decoded ahead, where there are threads for that."""
        if self._pool is None:
            yield from map(self._hear, rows)
            return
        ahead: deque[Future[_Heard | Failed | Listed]] = deque()
        for row in rows:
            ahead.append(self._pool.submit(self._hear, row))
            if len(ahead) > self._n_ahead:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _hear(self, row: Listed) -> _Heard | Failed | Listed:
        """The row, ready for the encoder; itself, if it is too long for that."""
        timed = _TimedDecoder(self._decoder)
        waveform, quality = None, None
        try:
            with on_this_machine(row.path) as path:
                audio = PathAudio(path, row.start_s, row.end_s)
                params = EmbedParams(audio, speech=self._speech)
                for step in Hearing(timed, self._detector).decode(audio, params):
                    quality = step.quality or quality
                    if step.part is not None and isinstance(step.part.waveform, Waveform):
                        waveform = step.part.waveform
        except Exception as error:  # noqa: BLE001 - whatever it is, the other rows go on
            is_long = isinstance(error, BadAudio) and error.kind == "too_long"
            return row if is_long else _failed(row, error)
        assert waveform is not None
        return _Heard(row, waveform, timed.duration_s, quality)

    def _voices(self, row: Listed) -> Iterator[Embedded | Failed]:
        """Those of a long recording, of which no more is held than some seconds."""
        diarizing = Diarizing(
            Hearing(self._decoder, self._detector), self._segmenter, self._detector
        )
        self._segmenter.begin()
        self._segmenter.wait()
        try:
            with on_this_machine(row.path) as path:
                audio = PathAudio(path, row.start_s, row.end_s)
                decoding = diarizing.decode(audio, DiarizeParams(audio))
                voices, duration_s = voices_of(decoding, self._together, self.fingerprint)
        except DeviceError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            yield _failed(row, error)
            return
        if not voices:
            yield Failed(row, "no_speech", f"nobody speaks in it, in {duration_s:.0f} s")
        offset_s = row.start_s or 0.0
        for voice in voices:
            turns = tuple((offset_s + start, offset_s + end) for start, end in voice.turns)
            yield Embedded(
                listed=row,
                voice=voice.label,
                start_s=turns[0][0],
                end_s=max(end for _, end in turns),
                turns=turns,
                # The recording was decoded once, for all of its voices.
                duration_s=duration_s / len(voices),
                embedding=voice.embedding,
                speech_s=sum(end - start for start, end in turns),
                quality=None,
            )

    def _embed_held(self, held: Sequence[_Heard]) -> Iterator[Embedded | Failed]:
        outcomes = self._together([heard.waveform for heard in held])
        for heard, outcome in zip(held, outcomes, strict=True):
            if isinstance(outcome, SidecarError):
                yield _failed(heard.listed, outcome)
                continue
            start_s = heard.listed.start_s or 0.0
            yield Embedded(
                listed=heard.listed,
                voice=None,
                start_s=start_s,
                end_s=start_s + heard.duration_s,
                turns=(),
                duration_s=heard.duration_s,
                embedding=_unit(outcome),
                speech_s=None if heard.quality is None else heard.quality.speech_s,
                quality=heard.quality,
            )

    def _together(self, waveforms: Sequence[Waveform]) -> list[Embedding | SidecarError]:
        """What comes of each, embedded in batches of like lengths."""
        outcomes: dict[int, Embedding | SidecarError] = {}
        lengths = [waveform.n_samples for waveform in waveforms]
        for batch in alike(lengths, self._encoder.batch_limits):
            told = self._halving([waveforms[place] for place in batch])
            outcomes.update(zip(batch, told, strict=True))
        return [outcomes[place] for place in range(len(waveforms))]

    def _halving(self, batch: Sequence[Waveform]) -> list[Embedding | SidecarError]:
        try:
            return self._encoder.embed(batch)
        except OutOfMemory as error:
            if len(batch) == 1:
                return [error]
            middle = len(batch) // 2
            return self._halving(batch[:middle]) + self._halving(batch[middle:])


class _TimedDecoder(Decoder):
    """Decodes as ``decoder`` does, and knows how long what it has decoded is."""

    def __init__(self, decoder: Decoder) -> None:  # it has what the other one has
        self._decoder = decoder
        self.duration_s = 0.0

    def decode(
        self, audio: Audio, params: Params, is_given_up: Callable[[], bool] = lambda: False
    ) -> Generator[Decoded, None, None]:
        """See ``Decoder.decode``."""
        for step in self._decoder.decode(audio, params, is_given_up):
            if step.part is not None and isinstance(step.part.waveform, Waveform):
                self.duration_s += step.part.waveform.n_samples / SAMPLE_RATE_HZ
            yield step


def _announced(rows: Iterable[Listed], begin: Callable[[Listed], None]) -> Iterator[Listed]:
    for row in rows:
        begin(row)
        yield row


def _failed(row: Listed, error: Exception) -> Failed:
    if isinstance(error, SidecarError):
        return Failed(row, error.kind, error.message)
    return Failed(row, "internal", f"{row.path}: {error!r}")


def _unit(embedding: Embedding) -> FloatArray:
    """As ``embed`` gives it: of length 1."""
    return np.frombuffer(embedding.packed(normalize=True), "<f4").astype(np.float32)
