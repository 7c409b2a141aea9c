"""What ``identify`` may add to a person: a print of its own, bounded, dated, and easy to take back.

What was enrolled is never touched. An audio is added only where it is surely that person's, and
where what was enrolled alone would still have known it: so no chain of audios, each a little
further, leads away from the person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sidecar.people.enrolment import IMPROVE_S
from sidecar.people.records import Print
from sidecar.people.voices import Vector

# At most one audio in so many seconds, for each person: one sitting is one voice.
PAUSE_S = 600.0
# An adapted print stands for so much speech at most, and never for more than what was enrolled;
# what is older fades. No audio makes more than a quarter of it.
MOST_S = 30.0
_AUDIO_SHARE = 0.25


def adapt(prints: Sequence[Print], unit: Vector, speech_s: float, now_ms: int) -> Print | None:
    """The adapted print of a person with this audio in it, new or changed; None: not now.

    Args:
        prints: all of the person's that are of the model.
        unit: the audio's embedding, shape (dim,), of length 1.
        speech_s: how much speech it has.
        now_ms: Unix time.
    """
    enrolled = [kept for kept in prints if not kept.adapted and kept.is_complete]
    if speech_s < IMPROVE_S or not enrolled:
        return None
    most_s = min(MOST_S, sum(kept.speech_s for kept in enrolled))
    added_s = min(speech_s, _AUDIO_SHARE * most_s)
    kept = next((kept for kept in prints if kept.adapted), None)
    if kept is None:
        zeros = np.zeros_like(unit)
        kept = Print(enrolled[0].fingerprint, zeros, 0, now_ms, now_ms, adapted=True)
    # A clock may have been put back.
    elif abs(now_ms - kept.updated_ms) < 1000 * PAUSE_S:
        return None
    held_s = min(kept.speech_s, most_s - added_s)
    faded = held_s / kept.speech_s if kept.speech_s else 0.0
    kept.total = np.float32(faded) * kept.total + np.float32(added_s) * unit
    kept.speech_s = held_s + added_s
    kept.audios += 1
    kept.updated_ms = now_ms
    return kept
