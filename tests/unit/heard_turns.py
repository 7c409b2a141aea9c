"""Turns that were heard, made without audio and without a sidecar."""

from __future__ import annotations

import numpy as np

from sidecar.tools.conversation import Conversation, HeardTurn
from sidecar.tools.recording import Turn


def hear(*degrees_and_speakers: tuple[float, str | None], length_s=2.0) -> list[HeardTurn]:
    """Turns one after the other, each with a plane embedding at an angle."""
    return [
        HeardTurn(
            number=index + 1,
            turn=Turn(index * length_s, (index + 1) * length_s, speaker),
            embedding=np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]),
            reply_ms=20.0,
            compute_ms=15.0,
        )
        for index, (degrees, speaker) in enumerate(degrees_and_speakers)
    ]


def converse(heard: list[HeardTurn], refused=None) -> Conversation:
    return Conversation(heard, 0.5, refused or [])


TWO_PEOPLE = hear((0, "anna"), (90, "ben"), (10, "anna"), (100, "ben"), (20, "anna"))
