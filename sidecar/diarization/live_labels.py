"""What the people of hindsight are called, after what they were called live: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from sidecar.diarization.live_speakers import free_label
from sidecar.diarization.timeline import Turn

FloatArray = NDArray[np.float64]


def labels_in_hindsight(
    finals: Sequence[tuple[float, float, str]], turns: Sequence[Turn], known: Collection[str]
) -> dict[int, tuple[str, tuple[str, ...]]]:
    """For each person of ``turns`` the label, and the labels that are theirs, too.

    A label goes to the person with whom it has the most time in common; of several, the person has
    the one with the most.

    Args:
        finals: of the live turns, start and end in seconds, and the label.
        turns: what hindsight found.
        known: labels that are given already, whoever of them has spoken.
    """
    starts = np.array([turn.start_s for turn in turns])
    ends = np.array([turn.end_s for turn in turns])
    whose = np.array([turn.person for turn in turns], np.int64)
    n_people = int(whose.max(initial=-1)) + 1
    common: dict[str, FloatArray] = defaultdict(lambda: np.zeros(n_people))
    for start_s, end_s, label in finals:
        both_s = np.minimum(ends, end_s) - np.maximum(starts, start_s)
        common[label] += np.bincount(whose, both_s.clip(min=0), n_people)
    labels: defaultdict[int, list[tuple[float, str]]] = defaultdict(list)
    for label, of_person in common.items():
        if of_person.any():
            person = int(of_person.argmax())
            labels[person].append((-float(of_person[person]), label))
    taken = {*known, *(label for _, _, label in finals)}
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for person in dict.fromkeys(turn.person for turn in turns):
        theirs = [label for _, label in sorted(labels[person])] or [free_label(taken)]
        taken.add(theirs[0])
        found[person] = theirs[0], tuple(theirs[1:])
    return found
