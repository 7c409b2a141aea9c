"""What ``speaker-sidecar demo`` shows: from what was measured to what rich prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sidecar.tools import conversation_view as view
from sidecar.tools.console import facts
from sidecar.tools.conversation import SURE_TURN_S, Conversation, matches_annotation, measure
from sidecar.tools.recording import Recording
from sidecar.tools.start import Start

# The sample with this model must do as well as this.
CAMPPLUS = "campplus-zh-en"
MIN_MEAN_WITHIN = 0.65
MAX_MEAN_ACROSS = 0.38

_GOOD, _BAD = "bold green", "bold red"


@dataclass(frozen=True, slots=True)
class Findings:
    """What came out; ``refused`` says for each turn without an embedding why."""

    recording: Recording
    model: str
    conversation: Conversation
    refused: Sequence[str]

    @property
    def has_bar(self) -> bool:
        """Whether it is known how well these turns must be told apart by this model."""
        return self.recording.is_sample and self.model == CAMPPLUS

    @property
    def falls_short(self) -> bool:
        """Whether there is a bar, and it is not met."""
        if not self.has_bar:
            return False
        return bool(self.refused) or not all(is_met for *_, is_met in _checks(self))


def introduction(recording: Recording, start: Start, health: Mapping[str, Any]) -> Table:
    """What is listened to, and by what; ``health`` is the child's report."""
    hello, device, model = start.hello, health["device"], health["model"]
    model_text = f"{model['id']}, {model['embedding_dim']} dimensions"
    if start.fetched_bytes:
        model_text += f", fetched just now ({start.fetched_bytes / 1e6:.1f} MB)"
    marks = {"hello": start.hello_ms} | health["timings"]
    after = (f"{name.removesuffix('_ms')} after {ms / 1000:.2f} s" for name, ms in marks.items())
    rows = [
        ("Recording", recording.title),
        ("Turns", recording.remark),
        ("Sidecar", f"{hello['name']} {hello['version']}, process {hello['pid']}"),
        ("Start", ", ".join(after)),
        ("Model", model_text),
        ("Device", f"{device['selected']}, {device['runtime']}, {device['precision']}"),
        ("Why", device["reason"]),
    ]
    if health["state"] == "degraded":
        rows.append(("Degraded", health["reason"]))
    return facts(rows)


def findings(found: Findings, console: Console) -> Group:
    """Who spoke when, how alike the turns are, which belong together, and the verdict."""
    conversation = found.conversation
    heard = conversation.heard
    notes = [f"not embedded: {reason}" for reason in found.refused]
    if any(one.is_short for one in heard):
        notes.insert(0, f"* short: under {SURE_TURN_S:g} s, so less certain")
    speech_s = sum(one.turn.duration_s for one in heard)
    reply_s = sum(one.reply_ms for one in heard) / 1000
    speed = f"{speech_s / reply_s:.1f} x real time"
    notes.append(f"{speech_s:.1f} s of speech in {reply_s:.2f} s, turn by turn: {speed}")
    linkage = f"average linkage, mean cosine of {conversation.threshold:g} and more"
    return Group(
        *_heading("Who spoke when"),
        view.lanes(conversation, console),
        "",
        view.turn_table(conversation, console),
        *map(_note, notes),
        *_heading("How alike the turns sound"),
        view.similarity_matrix(conversation, console),
        *_heading("Which turns belong together"),
        view.voice_list(conversation),
        _note(f"From the embeddings alone: {linkage}."),
        *(_verdict(found) if conversation.is_annotated else ()),
        "",
        facts([("Next", _next_step(found))]),
    )


def _heading(title: str) -> tuple[RenderableType, ...]:
    return "", Rule(Text(title, "bold"), align="left", style="dim")


def _note(text: str) -> Text:
    return Text(text, "dim")


def _checks(found: Findings) -> list[tuple[str, str, str, bool]]:
    """What is measured, its value, its bar, and whether that is met."""
    figures = measure(found.conversation)
    within, across = figures.mean_within, figures.mean_across
    is_within = within is not None and within >= MIN_MEAN_WITHIN
    is_across = across is not None and across <= MAX_MEAN_ACROSS
    own = f"{figures.n_turns - len(figures.strays)} of {figures.n_turns}"
    same = matches_annotation(found.conversation)
    return [
        ("mean within a speaker", _cosine(within), f"at least {MIN_MEAN_WITHIN}", is_within),
        ("mean across speakers", _cosine(across), f"at most {MAX_MEAN_ACROSS}", is_across),
        ("nearest turn is their own", own, "all", not figures.strays),
        ("voices match the people", "yes" if same else "no", "yes", same),
    ]


def _cosine(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.3f}"


def _verdict(found: Findings) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name, value, bar, is_met in _checks(found):
        mark = Text("ok", _GOOD) if is_met else Text("NO", _BAD)
        table.add_row(name, value, *((bar, mark) if found.has_bar else ()))
    parts: list[RenderableType] = [
        "",
        _note(f"Turns of {SURE_TURN_S:g} s and more, by the annotation:"),
        table,
    ]
    if found.falls_short:
        failed = ": they are not told apart as well as they should be."
        parts += ["", Text.assemble(("FAIL", _BAD), failed)]
    elif found.has_bar:
        parts += ["", Text.assemble(("PASS", _GOOD), ": the two people are told apart.")]
    return parts


def _next_step(found: Findings) -> str:
    if found.falls_short:
        return "see if the device is at fault: speaker-sidecar demo --device cpu"
    if found.has_bar:
        return "speaker-sidecar demo --file YOURS.wav; to build it in: README.md"
    if not found.conversation.is_annotated:
        return "with --rttm FILE, real turns; too many voices: lower --threshold"
    return "too many voices? Lower --threshold. Too few? Raise it."
