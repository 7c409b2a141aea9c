"""What ``speaker-sidecar demo`` prints. Pure: from what was measured to lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    note,
    similarity_matrix,
    turn_table,
    voice_list,
)
from sidecar.tools.recording import Recording
from sidecar.tools.start import Start

# The sample with this model must do as well as this.
CAMPPLUS = "campplus-zh-en"
MIN_MEAN_WITHIN = 0.65
MAX_MEAN_ACROSS = 0.38

_WIDTH_FOR_BARS = 56
_GREEN = (1, 32)
_RED = (1, 31)


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out. ``figures`` is None without annotation.

    ``has_bar``: whether it is known how well these turns must be told apart by this model.
    """

    conversation: Conversation
    refused: Sequence[str]
    threshold: float
    figures: Figures | None
    has_bar: bool

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
        """Compare, group and measure."""
        similarity = compare(heard)
        conversation = Conversation(heard, similarity, group_voices(similarity, threshold))
        is_annotated = all(one.turn.speaker is not None for one in heard)
        return cls(
            conversation=conversation,
            refused=refused,
            threshold=threshold,
            figures=measure(heard, similarity) if is_annotated else None,
            has_bar=recording.is_sample and model == CAMPPLUS,
        )

    @property
    def falls_short(self) -> bool:
        """Whether there is a bar, and it is not met."""
        return self.has_bar and (bool(self.refused) or not all(c.is_met for c in _checks(self)))


def introduction(
    recording: Recording, start: Start, health: Mapping[str, Any], console: Console
) -> list[str]:
    """What is listened to, and by what; ``health`` is the child's report."""
    hello = start.hello
    device, model = health["device"], health["model"]
    model_text = f"{model['id']}, {model['embedding_dim']} dimensions"
    if start.fetched_bytes:
        model_text += f", fetched just now ({start.fetched_bytes / 1e6:.1f} MB)"
    marks = {"hello": start.hello_ms}
    marks |= {name.removesuffix("_ms"): ms for name, ms in health["timings"].items()}
    rows = [
        ("Recording", recording.title),
        ("Turns", recording.remark),
        ("Sidecar", f"{hello['name']} {hello['version']}, process {hello['pid']}"),
        ("Start", ", ".join(f"{name} after {ms / 1000:.2f} s" for name, ms in marks.items())),
        ("Model", model_text),
        ("Device", f"{device['selected']}, {device['runtime']}, {device['precision']}"),
        ("Why", device["reason"]),
    ]
    if health["state"] == "degraded":
        rows.append(("Degraded", health["reason"]))
    return facts(rows, console)


def findings(found: Findings, console: Console) -> list[str]:
    """Who spoke when, how alike the turns are, which belong together, and the verdict."""
    conversation = found.conversation
    lines = [*heading("Who spoke when", console), *lanes(conversation, console), ""]
    lines += turn_table(conversation, console)
    if any(one.is_short for one in conversation.heard):
        lines += note(f"* short: under {SURE_TURN_S:g} s, so less certain", console)
    for reason in found.refused:
        lines += note(f"not embedded: {reason}", console)
    lines += note(_speed(conversation.heard), console)
    lines += heading("How alike the turns sound", console)
    n_turns = len(conversation.heard)
    lines += similarity_matrix(conversation, console) or note(
        f"{n_turns} x {n_turns} cosines do not fit in {console.width} columns.", console
    )
    lines += note("cosine: 1 is the same voice, 0 has nothing in common", console)
    lines += heading("Which turns belong together", console)
    lines += voice_list(conversation, console)
    lines += note(
        f"From the embeddings alone: average linkage, mean cosine of {found.threshold:g} and more.",
        console,
    )
    if found.figures is not None:
        lines += _verdict(found, console)
    return [*lines, "", *facts([("Next", _next_step(found))], console)]


def _speed(heard: Sequence[HeardTurn]) -> str:
    speech_s = sum(one.turn.duration_s for one in heard)
    reply_s = sum(one.reply_ms for one in heard) / 1000
    return (
        f"{speech_s:.1f} s of speech in {reply_s:.2f} s, turn by turn: "
        f"{speech_s / reply_s:.1f} x real time"
    )


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    value: str
    bar: str
    is_met: bool


def _checks(found: Findings) -> list[_Check]:
    figures = found.figures
    assert figures is not None
    within, across = figures.mean_within, figures.mean_across
    n_right = figures.n_turns - len(figures.strays)
    same = matches_annotation(found.conversation.heard, found.conversation.groups)
    return [
        _Check(
            "mean within a speaker",
            _cosine(within),
            f"at least {MIN_MEAN_WITHIN}",
            within is not None and within >= MIN_MEAN_WITHIN,
        ),
        _Check(
            "mean across speakers",
            _cosine(across),
            f"at most {MAX_MEAN_ACROSS}",
            across is not None and across <= MAX_MEAN_ACROSS,
        ),
        _Check(
            "nearest turn is their own",
            f"{n_right} of {figures.n_turns}",
            "all",
            not figures.strays,
        ),
        _Check("voices match the people", "yes" if same else "no", "yes", same),
    ]


def _cosine(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.3f}"


def _verdict(found: Findings, console: Console) -> list[str]:
    lines = ["", *note(f"Turns of {SURE_TURN_S:g} s and more, by the annotation:", console)]
    for check in _checks(found):
        line = f"   {check.name:26}{check.value:>7}"
        if found.has_bar:
            mark = console.paint("ok", *_GREEN) if check.is_met else console.paint("NO", *_RED)
            bar = f"{check.bar:14}" if console.width >= _WIDTH_FOR_BARS else ""
            line += f"   {bar}{mark}"
        lines.append(line)
    if found.has_bar and found.falls_short:
        failed = console.paint("FAIL", *_RED)
        lines += ["", f" {failed}: they are not told apart as well as they should be."]
    elif found.has_bar:
        lines += ["", f" {console.paint('PASS', *_GREEN)}: the two people are told apart."]
    return lines


def _next_step(found: Findings) -> str:
    if found.falls_short:
        return "see if the device is at fault: speaker-sidecar demo --device cpu"
    if found.has_bar:
        return "speaker-sidecar demo --file YOURS.wav; to build it in: README.md"
    if found.figures is None:
        return "with --rttm FILE, real turns; too many voices: lower --threshold"
    return "too many voices? Lower --threshold. Too few? Raise it."
