"""Turns that were heard, made without audio and without a sidecar."""

from __future__ import annotations

import numpy as np

from sidecar.tools.conversation import Conversation, HeardTurn
from sidecar.tools.naming import Enrolled, NamedTurn, Naming
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


def rightly_named(conversation: Conversation) -> Naming:
    """Each voice was enrolled from its first turn, and the others are named as they should be."""
    enrolled = [
        Enrolled(voice, f"p-{voice}", group[:1], speech_s=3.5)
        for voice, group in enumerate(conversation.groups)
    ]
    named = [
        NamedTurn(conversation.heard[place], voice, voice, 0.995)
        for voice, group in enumerate(conversation.groups)
        for place in group[1:]
    ]
    return Naming(enrolled, named)
