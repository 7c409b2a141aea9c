"""What ``speaker-sidecar demo`` shows: from what was measured to what rich prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text

from protocol.python import SpeakerSidecar
from sidecar.store.catalog import WHICH_MODEL
from sidecar.tools.console import facts
from sidecar.tools.conversation import (
    SURE_TURN_S,
    Conversation,
    Figure,
    measure,
    nearest,
    voice_name,
)
from sidecar.tools.naming import NamedTurn, Naming
from sidecar.tools.recording import Recording
from sidecar.tools.started_sidecar import Start

CAMPPLUS = "campplus-zh-en"

_GOOD, _BAD = "bold green", "bold red"
_VOICE_STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
# Backgrounds for cosines below 0.1, then each 0.1, to 0.9 and above; the second half is light.
_HEAT = (17, 18, 19, 25, 31, 36, 78, 149, 220, 220)
_MARKS = " .:-=+*#%@"
_MAX_NAME = 14
# What a turn's line does without in a narrow console, from the least telling on.
_DISPENSABLE = ("nearest", "end", "compute", "length", "reply")
_LABEL_WIDTH = 8
# By the width of a cell, from the roomiest to the tightest.
_LEGENDS = {
    6: "cosine: 1 is the same voice, 0 has nothing in common",
    3: "cosine in hundredths: 99 is the same voice, 0 has nothing in common",
    1: f"too many cosines for numbers; from 0 to 1 they are {' '.join(_MARKS)}",
}


def introduction(recording: Recording, client: SpeakerSidecar, start: Start) -> Table:
    """What is listened to, and by what."""
    assert client.hello is not None
    hello, health = client.hello, client.health
    device, model = health["device"], health["model"]
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
        ("Which", WHICH_MODEL),
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
    naming: Naming | None,
    console: Console,
) -> tuple[Group, bool]:
    """Who spoke when, how alike the turns are, which belong together, who it is, and the verdict.

    Also whether this falls short of what is known to be possible with these turns and this model.
    ``naming`` is None where the sidecar cannot do it.
    """
    heard = conversation.heard
    has_bar = recording.is_sample and model == CAMPPLUS
    figures = measure(conversation) if conversation.is_annotated else []
    if figures and naming is not None:
        n_right = sum(one.is_right for one in naming.sure)
        value = f"{n_right} of {len(naming.sure)}"
        figures.append(Figure("named as they should be", value, "all", naming.is_right))
    is_told_apart = not conversation.refused and all(figure.is_met for figure in figures)
    falls_short = has_bar and not is_told_apart
    notes = [f"not embedded: {reason}" for reason in conversation.refused]
    if any(one.is_short for one in heard):
        notes.insert(0, f"* short: under {SURE_TURN_S:g} s, so less certain")
    speech_s = sum(one.turn.duration_s for one in heard)
    reply_s = sum(one.reply_ms for one in heard) / 1000
    speed = f"{speech_s / reply_s:.1f} x real time"
    linkage = f"average linkage, mean cosine of {conversation.threshold:g} and more"
    parts: list[RenderableType] = [
        *_heading("Who spoke when"),
        lanes(conversation, console),
        "",
        turn_table(conversation, console),
        *(Text(note, "dim") for note in notes),
        Text(f"{speech_s:.1f} s of speech in {reply_s:.2f} s, turn by turn: {speed}", "dim"),
        *_heading("How alike the turns sound"),
        similarity_matrix(conversation, console),
        *_heading("Which turns belong together"),
        voice_list(conversation),
        Text(f"From the embeddings alone: {linkage}.", "dim"),
        *_heading("Who it is"),
        *naming_parts(naming),
    ]
    if figures:
        table = Table.grid("", Column(justify="right"), padding=(0, 2))
        for figure in figures:
            mark = Text("ok", _GOOD) if figure.is_met else Text("NO", _BAD)
            bar = (figure.bar, mark) if has_bar else ()
            table.add_row(figure.name, figure.value.replace("nan", "-"), *bar)
        parts += [
            "",
            Text(f"Turns of {SURE_TURN_S:g} s and more, by the annotation:", "dim"),
            table,
        ]
    if falls_short:
        failed = ": they are not told apart as well as they should be."
        parts += ["", Text.assemble(("FAIL", _BAD), failed)]
        step = "see if the device is at fault: speaker-sidecar demo --device cpu"
    elif has_bar:
        known = "" if naming is None else ", and known again"
        parts += ["", Text.assemble(("PASS", _GOOD), f": the two people are told apart{known}.")]
        step = "speaker-sidecar demo --file YOURS.wav; to build it in: README.md"
    else:
        step = "too many voices? Lower --threshold. Too few? Raise it."
        step += "" if figures else " For real turns: --rttm FILE."
    return Group(*parts, "", facts([("Next", step)])), falls_short


def _heading(title: str) -> tuple[RenderableType, ...]:
    return "", Rule(Text(title, "bold"), align="left", style="dim")


def lanes(conversation: Conversation, console: Console) -> Text:
    """One line for each voice: when it was heard, from 0 s to the end of the last turn."""
    margin = len(f"voice {voice_name(len(conversation.groups) - 1)}  ")
    n_cells = console.width - margin
    end_s = max(one.turn.end_s for one in conversation.heard)
    speech, silence = "#." if console.options.ascii_only else "█·"
    lines = [Text(f"{'0 s':>{margin + 3}}{f'{end_s:.0f} s':>{n_cells - 3}}", "dim")]
    for voice, group in enumerate(conversation.groups):
        cells = np.full(n_cells, silence)
        for turn in (conversation.heard[place].turn for place in group):
            first = int(turn.start_s / end_s * n_cells)
            cells[first : max(first + 1, round(turn.end_s / end_s * n_cells))] = speech
        name = f"voice {voice_name(voice)}".ljust(margin)
        lines.append(Text(name + "".join(cells), _style(voice)))
    return Text("\n").join(lines)


def turn_table(conversation: Conversation, console: Console) -> Table:
    """One line for each turn. Columns that do not fit are left out, the least telling first."""
    heard = conversation.heard
    near = [str(heard[place].number) for place in nearest(conversation.similarity)]
    columns: dict[str, list[str | Text]] = {
        "turn": [f"{one.number}{'*' if one.is_short else ' '}" for one in heard],
        "start": [f"{one.turn.start_s:.2f} s" for one in heard],
        "end": [f"{one.turn.end_s:.2f} s" for one in heard],
        "length": [f"{one.turn.duration_s:.2f} s" for one in heard],
        "voice": [Text(voice_name(voice), _style(voice)) for voice in conversation.voices],
        "annotated": [(one.turn.speaker or "")[:_MAX_NAME] for one in heard],
        "nearest": [*near] or [""],
        "reply": [f"{one.reply_ms:.1f} ms" for one in heard],
        "compute": [f"{one.compute_ms:.1f} ms" for one in heard],
    }
    if not conversation.is_annotated:
        del columns["annotated"]
    for dispensable in _DISPENSABLE:
        widths = [max(map(cell_len, map(str, (title, *cells)))) for title, cells in columns.items()]
        if sum(widths) + 2 * (len(columns) - 1) > console.width:
            del columns[dispensable]
    headers = [Column(title, justify="right", no_wrap=True) for title in columns]
    table = Table(*headers, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def similarity_matrix(conversation: Conversation, console: Console) -> Text:
    """The cosines of all pairs, the turns of a voice side by side; or that there are too many."""
    heard, groups = conversation.heard, conversation.groups
    room = console.width - _LABEL_WIDTH - len(groups)
    width = next((width for width in _LEGENDS if width * len(heard) <= room), None)
    if width is None:
        n = len(heard)
        return Text(f"{n} x {n} cosines do not fit in {console.width} columns.", "dim")
    bar, itself = "|." if console.options.ascii_only else "│·"
    titles = [
        Text(f"{voice_name(voice)}{one.number}{'*' if one.is_short else ''}", _style(voice))
        for voice, one in zip(conversation.voices, heard, strict=True)
    ]

    def line(label: Text, bar: str, cells: Sequence[Text]) -> Text:
        for cell in cells:
            cell.align("center", width)
        label.align("left", _LABEL_WIDTH)
        parts = [Text().join(cells[place] for place in group) for group in groups]
        return Text.assemble((bar, "dim")).join([label, *parts])

    # A cell of 3 has no room for the voice beside the number.
    lines = [line(Text(), " ", [title[1:] if width == 3 else title.copy() for title in titles])]
    for group in groups:
        for place in group:
            cells = [_cell(cosine, width) for cosine in conversation.similarity[place]]
            cells[place] = Text(itself)
            lines.append(line(titles[place], bar, cells))
        lines.append(Text())
    return Text("\n").join([*lines[:-1], Text(_LEGENDS[width], "dim")])


def _cell(cosine: float, width: int) -> Text:
    tenths = max(0, min(9, int(10 * cosine)))
    in_hundredths = f"{max(-99, min(99, round(100 * cosine))):2d}"
    text = {6: f"{cosine:.2f}", 3: in_hundredths, 1: _MARKS[tenths]}[width]
    colour = 231 if tenths < len(_HEAT) // 2 else 16
    return Text(text, f"color({colour}) on color({_HEAT[tenths]})")


def _style(voice: int) -> str:
    return _VOICE_STYLES[voice % len(_VOICE_STYLES)]


def voice_list(conversation: Conversation) -> Table:
    """One entry for each voice: its turns, and who they are annotated with."""
    rows = []
    for voice, group in enumerate(conversation.groups):
        turns = [conversation.heard[place] for place in group]
        noun = "turns" if len(turns) > 1 else "turn"
        text = f"{noun} {', '.join(str(one.number) for one in turns)}"
        counts = Counter(one.turn.speaker for one in turns if one.turn.speaker is not None)
        if len(counts) == 1:
            text += f": all {next(iter(counts))}"
        elif counts:
            text += ": " + ", ".join(f"{n} of {name}" for name, n in counts.most_common())
        rows.append((Text(f"voice {voice_name(voice)}", _style(voice)), text))
    return facts(rows)


def naming_parts(naming: Naming | None) -> list[RenderableType]:
    """Which voices were enrolled, from what, and who each of the other turns is said to be."""
    if naming is None:
        return [Text("This sidecar keeps no gallery of people, so no turn is named.", "dim")]
    rows = []
    for one in naming.enrolled:
        text = f"enrolled from {one.speech_s:.1f} s of speech"
        if not one.has_print:
            text = f"not enrolled: {one.speech_s:.1f} s of speech, {one.needed_s:.1f} s are missing"
        rows.append((Text(f"voice {voice_name(one.voice)}", _style(one.voice)), text))
    parts: list[RenderableType] = [facts(rows)]
    if naming.named:
        parts += ["", named_table(naming.named)]
    parts += [
        Text(f"not named: turn {one.turn.number}: {one.refused}", "dim")
        for one in naming.named
        if one.refused is not None
    ]
    if naming.failure is not None:
        parts.append(Text(f"It went no further: {naming.failure}", _BAD))
    return parts


def named_table(named: list[NamedTurn]) -> Table:
    """One line for each turn that was named: who, how sure, and whether that is right."""
    headers = [Column(title, justify="right", no_wrap=True) for title in ("turn", "it is", "sure")]
    table = Table(*headers, "", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for one in named:
        if one.refused is not None:
            continue
        who = "unknown" if one.found is None else f"voice {voice_name(one.found)}"
        sure = "-" if one.probability is None else f"{100 * one.probability:.1f} %"
        table.add_row(
            f"{one.turn.number}{'*' if one.turn.is_short else ' '}",
            Text(who, "" if one.found is None else _style(one.found)),
            sure,
            Text("right", _GOOD) if one.is_right else Text("WRONG", _BAD),
        )
    return table
