"""What a decoder brings, and what became of a request, for tests without audio."""

from __future__ import annotations

from sidecar.audio.waveform import Decoded, Part, Waveform


def steps_of(*lengths, is_last=True, first=0, held_bytes=0):
    """A step for each part, a waveform of so many samples; they are counted from ``first``."""
    n_parts = first + len(lengths)
    return [
        Decoded(
            Part(index, Waveform(range(length), index)),
            held_bytes,
            n_parts,
            is_last=is_last and index == n_parts - 1,
        )
        for index, length in enumerate(lengths, start=first)
    ]


def outcomes_of(job):
    """The outcome of each audio's parts, or of the audio itself, where it could not be decoded."""
    return [
        outcome
        for source in job.sources
        for outcome in (
            *(item.outcome for item in source.items),
            *([source.error] if source.error is not None else []),
        )
    ]
