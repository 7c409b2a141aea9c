"""A conversation as lines of text, for a console of any width: lanes, a table, and a matrix."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sidecar.tools.console import Console
from sidecar.tools.conversation import (
    HeardTurn,
    Similarity,
    nearest,
    voice_name,
)

_BOLD = 1
_DIM = 2
_VOICE_COLOURS = (36, 35, 33, 32, 34, 31)
# For cosines below 0.1, then each 0.1, to 0.8 and above: (background, text), of the 256 colours.
_HEAT = (
    (17, 231),
    (18, 231),
    (19, 231),
    (25, 231),
    (31, 231),
    (36, 16),
    (78, 16),
    (149, 16),
    (220, 16),
)
_SHADES = " .:-=+*#%@"
_MAX_NAME = 14


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was heard, in the order of time; ``groups`` holds each voice's places in ``heard``."""

    heard: Sequence[HeardTurn]
    similarity: Similarity
    groups: Sequence[Sequence[int]]

    def voice(self, index: int) -> int:
        """Which voice the turn at ``index`` was given to."""
        return next(v for v, group in enumerate(self.groups) if index in group)


def heading(title: str, console: Console) -> list[str]:
    """An empty line, and the title in a rule."""
    rule = console.glyph("─", "-")
    line = f"{rule * 2} {title} "
    return ["", console.paint(f"{line:{rule}<{console.width - 1}}", _BOLD)]


def facts(rows: Sequence[tuple[str, str]], console: Console) -> list[str]:
    """Names and what is to be said about each, wrapped."""
    width = max(len(name) for name, _text in rows) + 3
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, console.width - 1 - width, break_on_hyphens=False)
        lines.append(console.paint(f"{name:{width}}", _BOLD) + (wrapped or [""])[0])
        lines += [" " * width + line for line in wrapped[1:]]
    return lines


def note(text: str, console: Console) -> list[str]:
    """A remark, wrapped and dimmed."""
    lines = textwrap.wrap(text, console.width - 2, break_long_words=False, break_on_hyphens=False)
    return [" " + console.paint(line, _DIM) for line in lines]


def lanes(conversation: Conversation, console: Console) -> list[str]:
    """One line for each voice: when it was heard, from 0 s to the end of the last turn."""
    names = [f" voice {voice_name(voice)}  " for voice in range(len(conversation.groups))]
    margin = max(len(name) for name in names)
    n_cells = console.width - 1 - margin
    end_s = max(one.turn.end_s for one in conversation.heard)
    speech, silence = console.glyph("█", "#"), console.glyph("·", ".")
    lines = [" " * margin + _time_axis(end_s, n_cells)]
    for voice, group in enumerate(conversation.groups):
        cells = [silence] * n_cells
        for turn in (conversation.heard[index].turn for index in group):
            first = int(turn.start_s / end_s * n_cells)
            last = max(first + 1, round(turn.end_s / end_s * n_cells))
            cells[first:last] = [speech] * len(cells[first:last])
        lane = "".join(cells)
        lines.append(f"{names[voice]:{margin}}" + _in_voice_colour(lane, voice, console))
    return lines


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


def turn_table(conversation: Conversation, console: Console) -> list[str]:
    """One line for each turn. Columns that do not fit are left out, the least telling first."""
    heard = conversation.heard
    voices = [conversation.voice(index) for index in range(len(heard))]
    columns = [
        _Column("turn", [turn_name(one) for one in heard]),
        _Column("start", [f"{one.turn.start_s:.2f} s" for one in heard]),
        _Column("end", [f"{one.turn.end_s:.2f} s" for one in heard], leave_out=2),
        _Column("length", [f"{one.turn.duration_s:.2f} s" for one in heard], leave_out=4),
        _Column("voice", [voice_name(voice) for voice in voices], voices=voices),
        _Column("nearest", _nearest_names(conversation), leave_out=1),
        _Column("reply", [_milliseconds(one.reply_ms) for one in heard], leave_out=5),
        _Column("compute", [_milliseconds(one.compute_ms) for one in heard], leave_out=3),
    ]
    if any(one.turn.speaker is not None for one in heard):
        speakers = [(one.turn.speaker or "?")[:_MAX_NAME] for one in heard]
        columns.insert(5, _Column("annotated", speakers))
    for rank in range(1, 6):
        if sum(column.width for column in columns) >= console.width:
            columns = [column for column in columns if column.leave_out != rank]
    titles = console.paint("".join(column.title_cell() for column in columns), _DIM)
    rows = range(len(heard))
    return [
        titles,
        *("".join(column.cell(row, console) for column in columns) for row in rows),
    ]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table. The lowest ``leave_out`` goes first; 0 stays always."""

    title: str
    cells: Sequence[str]
    leave_out: int = 0
    voices: Sequence[int] | None = None

    @property
    def width(self) -> int:
        return 2 + max(len(text) for text in (self.title, *self.cells))

    def title_cell(self) -> str:
        return f"{self.title:>{self.width}}"

    def cell(self, row: int, console: Console) -> str:
        text = f"{self.cells[row]:>{self.width}}"
        return text if self.voices is None else _in_voice_colour(text, self.voices[row], console)


def turn_name(one: HeardTurn) -> str:
    """The turn's number, starred if the turn is short."""
    return f"{one.number}{'*' if one.is_short else ' '}"


def _milliseconds(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 100 else f"{ms:.0f} ms"


def _nearest_names(conversation: Conversation) -> list[str]:
    everyone = range(len(conversation.heard))
    names = []
    for index in everyone:
        other = nearest(conversation.similarity, index, everyone)
        names.append("" if other is None else str(conversation.heard[other].number))
    return names


@dataclass(frozen=True, slots=True)
class _CellStyle:
    width: int
    write: Callable[[float], str]


# From the roomiest to the tightest.
_CELL_STYLES = (
    _CellStyle(6, lambda cosine: f"{cosine:.2f}"),
    _CellStyle(4, lambda cosine: f"{cosine:.2f}".replace("0.", ".")),
    _CellStyle(3, lambda cosine: f"{min(99, round(100 * cosine)):2d}"),
    _CellStyle(1, lambda cosine: _SHADES[max(0, min(9, int(10 * cosine)))]),
)
_GAP = 1


def similarity_matrix(conversation: Conversation, console: Console) -> list[str]:
    """The cosines of all pairs, the turns of a voice side by side; no line where none fits."""
    names = [turn_name(one) for one in conversation.heard]
    margin = max(len(name) for name in names) + 6
    gaps = _GAP * (len(conversation.groups) - 1)
    for style in _CELL_STYLES:
        if margin + style.width * len(names) + gaps < console.width:
            return _matrix_lines(conversation, names, margin, style, console)
    return []


def _matrix_lines(
    conversation: Conversation,
    names: Sequence[str],
    margin: int,
    style: _CellStyle,
    console: Console,
) -> list[str]:
    groups = conversation.groups
    bar, rule = console.glyph("│", "|"), console.glyph("─", "-")
    blank = " " * margin
    voices = [
        _in_voice_colour(f"{voice_name(voice):^{style.width * len(group)}}", voice, console)
        for voice, group in enumerate(groups)
    ]
    lines = [blank + (" " * _GAP).join(voices)]
    if style.width > 2:
        numbers = [
            "".join(str(conversation.heard[i].number).center(style.width) for i in group)
            for group in groups
        ]
        lines.append(console.paint(blank + (" " * _GAP).join(numbers), _DIM))
    crossing = console.glyph("┼", "+")
    ruled = blank + crossing.join(rule * style.width * len(group) for group in groups)
    for voice, group in enumerate(groups):
        if voice:
            lines.append(console.paint(ruled, _DIM))
        for row in group:
            label = f"  {voice_name(voice):<3}{names[row]:>{margin - 6}} "
            blocks = [
                _block(conversation.similarity[row], row, columns, style, console)
                for columns in groups
            ]
            gap = console.paint(bar, _DIM)
            lines.append(_in_voice_colour(label, voice, console) + gap.join(blocks))
    return lines


def _block(
    cosines: Sequence[float],
    row: int,
    columns: Sequence[int],
    style: _CellStyle,
    console: Console,
) -> str:
    cells = []
    for column in columns:
        if column == row:
            cells.append(console.glyph("·", ".").center(style.width))
        else:
            text = style.write(cosines[column]).center(style.width)
            cells.append(console.paint(text, *_heat(cosines[column])))
    return "".join(cells)


def _heat(cosine: float) -> tuple[int, ...]:
    background, text = _HEAT[max(0, min(len(_HEAT) - 1, int(10 * cosine)))]
    return (48, 5, background, 38, 5, text)


def _in_voice_colour(text: str, voice: int, console: Console) -> str:
    return console.paint(text, _VOICE_COLOURS[voice % len(_VOICE_COLOURS)])


def voice_list(conversation: Conversation, console: Console) -> list[str]:
    """One entry for each voice: its turns, and who they are annotated with."""
    lines = []
    for voice, group in enumerate(conversation.groups):
        turns = [conversation.heard[index] for index in group]
        noun = "turns" if len(turns) > 1 else "turn"
        text = f"{noun} {', '.join(str(one.number) for one in turns)}"
        counts = Counter(one.turn.speaker for one in turns if one.turn.speaker is not None)
        if len(counts) == 1:
            text += f": all {next(iter(counts))}"
        elif counts:
            text += ": " + ", ".join(f"{n} of {name}" for name, n in counts.most_common())
        head = f" voice {voice_name(voice)}  "
        wrapped = textwrap.wrap(text, console.width - 1 - len(head), break_on_hyphens=False)
        lines.append(_in_voice_colour(head, voice, console) + wrapped[0])
        lines += [" " * len(head) + line for line in wrapped[1:]]
    return lines
