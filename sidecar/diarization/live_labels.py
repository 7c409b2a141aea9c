"""What the people of hindsight are called, after what they were called live: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sidecar.diarization.live_speakers import free_label
from sidecar.diarization.timeline import Turn


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
    common: defaultdict[str, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))
    for start_s, end_s, label in finals:
        for turn in turns:
            both_s = min(end_s, turn.end_s) - max(start_s, turn.start_s)
            if both_s > 0:
                common[label][turn.person] += both_s
    labels: defaultdict[int, list[tuple[float, str]]] = defaultdict(list)
    for label, of_person in common.items():
        person = max(of_person, key=lambda person: of_person[person])
        labels[person].append((-of_person[person], label))
    taken = {*known, *(label for _, _, label in finals)}
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for person in dict.fromkeys(turn.person for turn in turns):
        theirs = [label for _, label in sorted(labels[person])] or [free_label(taken)]
        taken.add(theirs[0])
        found[person] = theirs[0], tuple(theirs[1:])
    return found
