"""What ``speaker-sidecar demo`` prints. Pure: from what was measured to lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sidecar.config import DEFAULT_MODEL
from sidecar.tools.console import Console
from sidecar.tools.conversation import (
    SURE_TURN_S,
    Figures,
    HeardTurn,
    compare,
    group_voices,
    matches_annotation,
    measure,
)
from sidecar.tools.conversation_view import (
    Conversation,
    facts,
    heading,
    lanes,
    similarity_matrix,
    turn_table,
    voice_list,
)
from sidecar.tools.recording import Recording

# The sample with the default model must do as well as this.
MIN_MEAN_WITHIN = 0.65
MAX_MEAN_ACROSS = 0.38

_GREEN = (1, 32)
_RED = (1, 31)


@dataclass(frozen=True, slots=True)
class Start:
    """How the child started; ``hello`` and ``health`` are its notifications."""

    hello: Mapping[str, Any]
    health: Mapping[str, Any]
    hello_ms: float
    fetched_bytes: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out. ``figures`` is None without annotation.

    ``is_met``: whether the sample's two people were told apart; None for another recording or
    model, for which there is no bar.
    """

    conversation: Conversation
    refused: Sequence[str]
    threshold: float
    figures: Figures | None
    is_as_annotated: bool
    is_met: bool | None

    @classmethod
    def of(
        cls,
        recording: Recording,
        heard: Sequence[HeardTurn],
        refused: Sequence[str],
        *,
        threshold: float,
        model: str,
    ) -> Findings:
        """Compare, group and judge."""
        similarity = compare(heard)
        groups = group_voices(similarity, threshold)
        is_annotated = all(one.turn.speaker is not None for one in heard)
        figures = measure(heard, similarity) if is_annotated else None
        is_as_annotated = is_annotated and matches_annotation(heard, groups)
        is_met = None
        if recording.is_sample and model == DEFAULT_MODEL:
            assert figures is not None
            checks = _checks(figures)
            is_met = not refused and is_as_annotated and all(check.is_met for check in checks)
        conversation = Conversation(heard, similarity, groups)
        return cls(conversation, refused, threshold, figures, is_as_annotated, is_met)


def introduction(recording: Recording, start: Start, console: Console) -> list[str]:
    """What is listened to, and by what."""
    hello, health = start.hello, start.health
    device, model = health["device"], health["model"]
    fetched = f", fetched just now ({start.fetched_bytes / 1e6:.1f} MB)" * bool(start.fetched_bytes)
    timings = [("hello", start.hello_ms), *health["timings"].items()]
    told = ", ".join(f"{name.removesuffix('_ms')} after {ms / 1000:.2f} s" for name, ms in timings)
    rows = [
        ("Recording", str(recording.path)),
        ("Turns", recording.remark),
        ("Sidecar", f"{hello['name']} {hello['version']}, process {hello['pid']}, {told}"),
        ("Model", f"{model['id']}, {model['embedding_dim']} dimensions{fetched}"),
        ("Device", f"{device['selected']}, {device['runtime']}, {device['precision']}"),
        ("Why", device["reason"]),
    ]
    if health["state"] == "degraded":
        rows.append(("Degraded", health["reason"]))
    return facts(rows, console)


def findings(found: Findings, console: Console) -> list[str]:
    """Who spoke when, how alike the turns are, which belong together, and the verdict."""
    conversation = found.conversation
    lines = heading("Who spoke when", console)
    lines += lanes(conversation, console)
    lines += ["", *turn_table(conversation, console)]
    if any(one.is_short for one in conversation.heard):
        lines.append(_note(f"* under {SURE_TURN_S:g} s, so less certain", console))
    lines += [console.paint(f" not embedded, {reason}", *_RED) for reason in found.refused]
    lines.append(_note(_speed(conversation.heard), console))
    lines += heading("How alike the turns sound", console)
    matrix = similarity_matrix(conversation, console)
    n_turns = len(conversation.heard)
    lines += matrix or [f" {n_turns} x {n_turns} cosines need a wider window than this one."]
    lines.append(_note("cosine: 1 is the same voice, 0 has nothing in common", console))
    lines += heading("Which turns belong together", console)
    lines += voice_list(conversation, console)
    lines.append(
        _note(f"found by the embeddings alone: a mean cosine of {found.threshold:g} joins", console)
    )
    if found.figures is not None:
        lines += ["", *_verdict(found, found.figures, console)]
    lines += ["", *_next(found, console)]
    return lines


def _speed(heard: Sequence[HeardTurn]) -> str:
    speech_s = sum(one.turn.duration_s for one in heard)
    reply_s = sum(one.reply_ms for one in heard) / 1000
    middle_ms = median(one.reply_ms for one in heard)
    return (
        f"{speech_s:.1f} s of speech took {reply_s:.2f} s, one turn after the other: "
        f"{speech_s / reply_s:.0f} x real time, median {middle_ms:.0f} ms a turn"
    )


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    value: str
    bar: str
    is_met: bool


def _checks(figures: Figures) -> list[_Check]:
    within, across = figures.mean_within, figures.mean_across
    n_right = figures.n_turns - len(figures.strays)
    return [
        _Check(
            "mean within a speaker",
            "none" if within is None else f"{within:.3f}",
            f"at least {MIN_MEAN_WITHIN}",
            within is not None and within >= MIN_MEAN_WITHIN,
        ),
        _Check(
            "mean across speakers",
            "none" if across is None else f"{across:.3f}",
            f"at most {MAX_MEAN_ACROSS}",
            across is not None and across <= MAX_MEAN_ACROSS,
        ),
        _Check(
            "nearest is own speaker's",
            f"{n_right} of {figures.n_turns}",
            "all",
            not figures.strays,
        ),
    ]


def _verdict(found: Findings, figures: Figures, console: Console) -> list[str]:
    lines = [f" Turns of {SURE_TURN_S:g} s and more, by the annotation:"]
    for check in _checks(figures):
        line = f"   {check.name:26}{check.value:>8}"
        if found.is_met is not None:
            mark = console.paint("ok", *_GREEN) if check.is_met else console.paint("NO", *_RED)
            line += f"   {check.bar:14}{mark}"
        lines.append(line)
    same = "are" if found.is_as_annotated else "are not"
    agreement = f"the voices found {same} the people annotated"
    if found.is_met is None:
        return [*lines, f"   {agreement}"]
    word, colour = ("PASS", _GREEN) if found.is_met else ("FAIL", _RED)
    return [*lines, "", f" {console.paint(word, *colour)}: {agreement}"]


def _next(found: Findings, console: Console) -> list[str]:
    return facts([("Next", "...")], console)


def _note(text: str, console: Console) -> str:
    return " " + console.paint(text, 2)
