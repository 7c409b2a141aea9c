"""The voices of a recording that is too long to be embedded as one: who spoke when, as a stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from protocol.errors import SidecarError
from sidecar.audio.waveform import Decoded, Waveform
from sidecar.config import SAMPLE_RATE_HZ
from sidecar.corpus.utterances import FloatArray, Turn
from sidecar.diarization.heard_chunks import HeardActivity
from sidecar.diarization.hindsight import who_spoke_when
from sidecar.engine.encoder import Embedding

# So many parts are embedded together, where the device takes several at once.
_TOGETHER = 64


class Voice(NamedTuple):
    """One person of a recording: the embedding, of length 1, and the turns."""

    label: str
    embedding: FloatArray
    turns: tuple[Turn, ...]


def voices_of(
    decoding: Iterable[Decoded],
    embed: Callable[[Sequence[Waveform]], Sequence[Embedding | SidecarError]],
    fingerprint: str,
) -> tuple[list[Voice], float]:
    """The people of a recording, by who speaks first, and how long it is in seconds.

    Args:
        decoding: the steps of ``Diarizing.decode``.
        embed: embeds waveforms together.
        fingerprint: of the model that embeds.

    Raises:
        SidecarError: it cannot be decoded or embedded.
    """
    activity: HeardActivity | None = None

    def waveforms() -> Iterator[Waveform]:
        nonlocal activity
        for step in decoding:
            if isinstance(step.activity, HeardActivity):
                activity = step.activity
            if step.part is not None and isinstance(step.part.waveform, Waveform):
                yield step.part.waveform

    embeddings = list(_embedded(waveforms(), embed))
    assert activity is not None
    found = who_spoke_when(activity, embeddings, fingerprint)
    duration_s = activity.n_samples / SAMPLE_RATE_HZ
    if found is None:
        return [], duration_s
    people, turns = found
    of_person: defaultdict[int, list[Turn]] = defaultdict(list)
    for turn in turns:
        of_person[turn.person].append((turn.start_s, turn.end_s))
    return [
        Voice(f"S{number}", people.centroids[person].astype(np.float32), tuple(of_person[person]))
        for number, person in enumerate(of_person, start=1)
    ], duration_s


def _embedded(
    waveforms: Iterator[Waveform],
    embed: Callable[[Sequence[Waveform]], Sequence[Embedding | SidecarError]],
) -> Iterator[FloatArray]:
    held: list[Waveform] = []
    for waveform in waveforms:
        held.append(waveform)
        if len(held) == _TOGETHER:
            yield from _values(embed(held))
            held = []
    if held:
        yield from _values(embed(held))


def _values(outcomes: Sequence[Embedding | SidecarError]) -> Iterator[FloatArray]:
    for outcome in outcomes:
        if isinstance(outcome, SidecarError):
            raise outcome
        yield outcome.values
