"""What ``speaker-sidecar demo`` shows: from what was measured to what rich prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def findings(
    recording: Recording,
    model: str,
    conversation: Conversation,
    refused: Sequence[str],
    console: Console,
) -> tuple[Group, bool]:
    """Who spoke when, how alike the turns are, which belong together, and the verdict.

    ``refused`` says for each turn without an embedding why. Also returned: whether this falls short
    of what is known to be possible with these turns and this model.
    """
    heard = conversation.heard
    has_bar = recording.is_sample and model == CAMPPLUS
    checks = _checks(conversation) if conversation.is_annotated else []
    falls_short = has_bar and (bool(refused) or not all(is_met for *_, is_met in checks))
    notes = [f"not embedded: {reason}" for reason in refused]
    if any(one.is_short for one in heard):
        notes.insert(0, f"* short: under {SURE_TURN_S:g} s, so less certain")
    speech_s = sum(one.turn.duration_s for one in heard)
    reply_s = sum(one.reply_ms for one in heard) / 1000
    speed = f"{speech_s / reply_s:.1f} x real time"
    notes.append(f"{speech_s:.1f} s of speech in {reply_s:.2f} s, turn by turn: {speed}")
    if falls_short:
        step = "see if the device is at fault: speaker-sidecar demo --device cpu"
    elif has_bar:
        step = "speaker-sidecar demo --file YOURS.wav; to build it in: README.md"
    elif checks:
        step = "too many voices? Lower --threshold. Too few? Raise it."
    else:
        step = "with --rttm FILE, real turns; too many voices: lower --threshold"
    linkage = f"average linkage, mean cosine of {conversation.threshold:g} and more"
    group = Group(
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
        *(_figures(checks, has_bar=has_bar) if checks else ()),
        *(_verdict(falls_short=falls_short) if has_bar else ()),
        "",
        facts([("Next", step)]),
    )
    return group, falls_short


def _heading(title: str) -> tuple[RenderableType, ...]:
    return "", Rule(Text(title, "bold"), align="left", style="dim")


def _note(text: str) -> Text:
    return Text(text, "dim")


def _checks(conversation: Conversation) -> list[tuple[str, str, str, bool]]:
    """What is measured, its value, its bar, and whether that is met."""
    figures = measure(conversation)
    within, across = figures.mean_within, figures.mean_across
    least, most = f"at least {MIN_MEAN_WITHIN}", f"at most {MAX_MEAN_ACROSS}"
    own = f"{figures.n_turns - len(figures.strays)} of {figures.n_turns}"
    same = matches_annotation(conversation)
    return [
        ("mean within a speaker", f"{within:.3f}", least, within >= MIN_MEAN_WITHIN),
        ("mean across speakers", f"{across:.3f}", most, across <= MAX_MEAN_ACROSS),
        ("nearest turn is their own", own, "all", not figures.strays),
        ("voices match the people", "yes" if same else "no", "yes", same),
    ]


def _figures(checks: list[tuple[str, str, str, bool]], *, has_bar: bool) -> list[RenderableType]:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name, value, bar, is_met in checks:
        mark = Text("ok", _GOOD) if is_met else Text("NO", _BAD)
        table.add_row(name, value.replace("nan", "-"), *((bar, mark) if has_bar else ()))
    return ["", _note(f"Turns of {SURE_TURN_S:g} s and more, by the annotation:"), table]


def _verdict(*, falls_short: bool) -> list[RenderableType]:
    if falls_short:
        failed = ": they are not told apart as well as they should be."
        return ["", Text.assemble(("FAIL", _BAD), failed)]
    return ["", Text.assemble(("PASS", _GOOD), ": the two people are told apart.")]
