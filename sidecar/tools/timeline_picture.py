"""The picture of a conversation: time from left to right, a row for each speaker; SVG 1.1."""

from __future__ import annotations

import html
import itertools
import math

from sidecar.tools.diarized_files import DiarizedFile, SpokenTurn

# Told apart also by those who see few colours: Okabe, Ito: "Color universal design", 2008.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH, _MARGIN, _NAMES, _SHARES = 1200, 20, 150, 70
_ROW, _BAR, _TOP = 34, 22, 50
# Between two marks of the scale, in seconds; of these the first that makes 12 or fewer.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_MOST_MARKS = 12


def draw(recording: DiarizedFile) -> str:
    """The picture, as the text of a file."""
    names = list(dict.fromkeys(recording.names.values()))
    height = _TOP + _ROW * max(1, len(names)) + 40
    end_s = max([recording.duration_s, *(turn.end_s for turn in recording.turns)], default=1.0)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="14"',
        f'  viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_MARGIN}" y="28" font-weight="bold">{html.escape(recording.path.name)}</text>',
        *_scale(end_s, height),
    ]
    for row, (name, colour) in enumerate(zip(names, itertools.cycle(_COLOURS), strict=False)):
        turns = [turn for turn in recording.turns if turn.name == name]
        parts += _row(name, turns, _TOP + _ROW * row, colour, end_s)
    if not names:
        parts.append(f'<text x="{_NAMES}" y="{_TOP + 20}">Nobody speaks.</text>')
    return "\n".join([*parts, "</svg>", ""])


def _row(name: str, turns: list[SpokenTurn], top: int, colour: str, end_s: float) -> list[str]:
    middle = top + _BAR / 2 + 5
    speech_s = math.fsum(turn.end_s - turn.start_s for turn in turns)
    shown = name if len(name) <= 16 else f"{name[:15]}…"
    return [
        f'<text x="{_MARGIN}" y="{middle}">{html.escape(shown)}</text>',
        *(
            f'<rect x="{_x(turn.start_s, end_s):.2f}" y="{top}" height="{_BAR}" '
            f'width="{max(0.5, _x(turn.end_s, end_s) - _x(turn.start_s, end_s)):.2f}" '
            f'fill="{colour}"><title>{html.escape(turn.name)}, {clock(turn.start_s)} to '
            f"{clock(turn.end_s)}</title></rect>"
            for turn in turns
        ),
        f'<text x="{_WIDTH - _MARGIN}" y="{middle}" text-anchor="end">{clock(speech_s)}</text>',
    ]


def _scale(end_s: float, height: int) -> list[str]:
    step_s = next((step for step in _STEPS_S if end_s / step <= _MOST_MARKS), 14_400)
    bottom = height - 28
    marks: list[str] = []
    for number in range(int(end_s // step_s) + 1):
        x = f"{_x(number * step_s, end_s):.2f}"
        marks += [
            f'<line x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{bottom}" stroke="#ddd"/>',
            f'<text x="{x}" y="{bottom + 18}" text-anchor="middle" fill="#555">',
            f"{clock(number * step_s)}</text>",
        ]
    return marks


def _x(seconds: float, end_s: float) -> float:
    return _NAMES + seconds / end_s * (_WIDTH - _NAMES - _SHARES - _MARGIN)


def clock(seconds: float) -> str:
    """``0:05``, ``1:02:03``."""
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
