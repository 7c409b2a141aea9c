"""From all that was heard and embedded to who spoke when."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.diarization.heard_chunks import HeardActivity
from sidecar.diarization.speakers import (
    FloatArray,
    People,
    find_people,
    local_speakers,
    max_distance,
)
from sidecar.diarization.timeline import Turn, spoken, turns_of


def who_spoke_when(
    activity: HeardActivity,
    embeddings: Sequence[FloatArray],
    fingerprint: str,
    n_people: tuple[int, int | None] = (1, None),
    *,
    exclusive: bool = False,
) -> tuple[People, list[Turn]] | None:
    """The people of a recording, and their turns in the order of the starts; None: nobody speaks.

    Args:
        activity: what was heard.
        embeddings: of its parts, each of shape (dim,), of any length.
        fingerprint: of the model that embedded them.
        n_people: how many there are at least, and at most; see ``find_people``.
        exclusive: one speaks at a time.
    """
    local = local_speakers(activity.chunks, activity.embedded(embeddings))
    people = find_people(local, max_distance(fingerprint), *n_people)
    if people is None:
        return None
    turns = turns_of(activity.chunks, people, activity.n_samples, exclusive=exclusive)
    return people, spoken(turns, activity.speech)
