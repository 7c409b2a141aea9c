"""A conversation on the console: lanes, a table, a matrix of cosines, and the voices."""

from __future__ import annotations

from collections import Counter

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sidecar.tools.console import facts
from sidecar.tools.conversation import Conversation, HeardTurn, nearest, voice_name

_VOICE_STYLES = ("cyan", "magenta", "yellow", "green", "blue", "red")
# Backgrounds for cosines below 0.1, then each 0.1, to 0.8 and above.
_HEAT = (17, 18, 19, 25, 31, 36, 78, 149, 220)
_FIRST_LIGHT = 5
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


def lanes(conversation: Conversation, console: Console) -> Text:
    """One line for each voice: when it was heard, from 0 s to the end of the last turn."""
    names = [f"voice {voice_name(voice)}  " for voice in range(len(conversation.groups))]
    margin = max(map(len, names))
    n_cells = console.width - margin
    end_s = max(one.turn.end_s for one in conversation.heard)
    speech, silence = "#." if console.options.ascii_only else "█·"
    lines = [Text(" " * margin + _time_axis(end_s, n_cells), "dim")]
    for voice, group in enumerate(conversation.groups):
        cells = [silence] * n_cells
        for turn in (conversation.heard[index].turn for index in group):
            first = int(turn.start_s / end_s * n_cells)
            last = max(first + 1, round(turn.end_s / end_s * n_cells))
            cells[first:last] = [speech] * len(cells[first:last])
        lines.append(Text(f"{names[voice]:{margin}}{''.join(cells)}", _style(voice)))
    return Text("\n").join(lines)


def _time_axis(end_s: float, n_cells: int) -> str:
    steps = (s * 10**power for power in range(6) for s in (1, 2, 5))
    step_s = next(s for s in steps if s * n_cells / end_s >= 8 or s >= end_s)
    axis = ""
    for tick_s in range(0, int(end_s) + 1, step_s):
        label = f"{tick_s} s"
        place = int(tick_s / end_s * n_cells)
        if place + len(label) <= n_cells:
            axis = f"{axis:{place}}{label}"
    return axis


def turn_table(conversation: Conversation, console: Console) -> Table:
    """One line for each turn. Columns that do not fit are left out, the least telling first."""
    heard = conversation.heard
    near = [heard[other].number for other in nearest(conversation.similarity)]
    voices = {i: voice for voice, group in enumerate(conversation.groups) for i in group}
    columns: dict[str, list[str | Text]] = {
        "turn": [_turn_name(one) for one in heard],
        "start": [f"{one.turn.start_s:.2f} s" for one in heard],
        "end": [f"{one.turn.end_s:.2f} s" for one in heard],
        "length": [f"{one.turn.duration_s:.2f} s" for one in heard],
        "voice": [Text(voice_name(voice), _style(voice)) for _i, voice in sorted(voices.items())],
        "annotated": [(one.turn.speaker or "?")[:_MAX_NAME] for one in heard],
        "nearest": [str(number) for number in near] or [""],
        "reply": [_milliseconds(one.reply_ms) for one in heard],
        "compute": [_milliseconds(one.compute_ms) for one in heard],
    }
    if all(one.turn.speaker is None for one in heard):
        del columns["annotated"]
    for dispensable in _DISPENSABLE:
        widths = [max(map(cell_len, map(str, (title, *cells)))) for title, cells in columns.items()]
        if sum(widths) + 2 * (len(columns) - 1) > console.width:
            del columns[dispensable]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in columns:
        table.add_column(title, justify="right", no_wrap=True)
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    return table


def _turn_name(one: HeardTurn) -> str:
    """The turn's number, starred if the turn is short."""
    return f"{one.number}{'*' if one.is_short else ' '}"


def _milliseconds(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 100 else f"{ms:.0f} ms"


def similarity_matrix(conversation: Conversation, console: Console) -> RenderableType:
    """The cosines of all pairs, the turns of a voice side by side; or that there are too many."""
    heard, groups = conversation.heard, conversation.groups
    room = console.width - _LABEL_WIDTH - len(groups)
    width = next((width for width in _LEGENDS if width * len(heard) <= room), None)
    if width is None:
        n = len(heard)
        return Text(f"{n} x {n} cosines do not fit in {console.width} columns.", "dim")
    bar, itself = "|." if console.options.ascii_only else "│·"
    table = Table(box=None, padding=0, pad_edge=False)
    table.add_column(width=_LABEL_WIDTH)
    for voice, group in enumerate(groups):
        table.add_column(style="dim")
        for index in group:
            title = voice_name(voice) + (f"\n{heard[index].number}" if width > 1 else "")
            header = Text(title, _style(voice), overflow="crop")
            table.add_column(header, justify="center", no_wrap=True, width=width)
    for voice, group in enumerate(groups):
        if voice:
            table.add_row()
        for row in group:
            cells = [Text(f"{voice_name(voice):3}{_turn_name(heard[row]):>4}", _style(voice))]
            for columns in groups:
                cells.append(Text(bar))
                for column in columns:
                    cosine = conversation.similarity[row, column]
                    cells.append(Text(itself) if column == row else _cell(cosine, width))
            table.add_row(*cells)
    return Group(table, Text(_LEGENDS[width], "dim"))


def _cell(cosine: float, width: int) -> Text:
    tenths = max(0, min(9, int(10 * cosine)))
    in_hundredths = f"{max(-99, min(99, round(100 * cosine))):2d}"
    text = {6: f"{cosine:.2f}", 3: in_hundredths, 1: _MARKS[tenths]}[width]
    background = _HEAT[min(tenths, len(_HEAT) - 1)]
    return Text(text, f"color({16 if tenths >= _FIRST_LIGHT else 231}) on color({background})")


def _style(voice: int) -> str:
    return _VOICE_STYLES[voice % len(_VOICE_STYLES)]


def voice_list(conversation: Conversation) -> Table:
    """One entry for each voice: its turns, and who they are annotated with."""
    rows = []
    for voice, group in enumerate(conversation.groups):
        turns = [conversation.heard[index] for index in group]
        noun = "turns" if len(turns) > 1 else "turn"
        text = f"{noun} {', '.join(str(one.number) for one in turns)}"
        counts = Counter(one.turn.speaker for one in turns if one.turn.speaker is not None)
        if len(counts) == 1:
            text += f": all {next(iter(counts))}"
        elif counts:
            text += ": " + ", ".join(f"{n} of {name}" for name, n in counts.most_common())
        rows.append((Text(f"voice {voice_name(voice)}", _style(voice)), text))
    return facts(rows)
