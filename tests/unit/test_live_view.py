"""What a person sees of a stream, with a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from protocol.gallery_reports import PersonName
from protocol.python import LiveTurn
from sidecar.tools.live_view import LiveView

ADA = {"person": PersonName("p-1", "Ada"), "probability": 0.9985}


def turn(number, start_s, end_s=None, *, final=False, **said):
    return LiveTurn(number, start_s, end_s, final=final, **said)


@pytest.fixture
def shown():
    """What is printed of turns, told one after the other."""

    def show(*turns, terminal=False):
        console = Console(file=io.StringIO(), width=60, force_terminal=terminal, no_color=True)
        with LiveView(console) as view:
            for one in turns:
                view.take(one)
                view.show("5.0 s heard")
        return console.file.getvalue()

    return show


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_without_a_terminal_a_line_for_each_thing_that_is_known(shown):
    text = shown(
        turn(0, 1.25),
        turn(0, 1.25, speaker="S1"),
        turn(0, 1.5, speaker="S1"),
        turn(0, 1.5, speaker="S1", **ADA),
        turn(0, 1.5, 4.0, speaker="S1", **ADA),
        turn(0, 1.5, 4.0, final=True, speaker="S1", **ADA),
    )
    assert lines(text) == ["1.2 - ... S1", "1.5 - ... Ada 99.9 %", "1.5 - 4.0 Ada 99.9 %"]
    assert "\x1b" not in text


def test_what_proves_to_be_nothing_leaves_no_line(shown):
    assert shown(turn(0, 1.0), turn(0, 1.0, 1.0, final=True)) == ""


def test_too_little_to_tell_is_somebody(shown):
    assert lines(shown(turn(0, 1.0, 1.5, final=True))) == ["1.0 - 1.5 somebody"]


def test_on_a_terminal_open_turns_stand_below_and_final_ones_stay(shown):
    text = shown(
        turn(0, 1.0, speaker="S1"),
        turn(1, 2.0),
        turn(0, 1.0, 3.0, final=True, speaker="S1"),
        terminal=True,
    )
    assert "5.0 s heard" in text
    assert "2.0 -      ...  " in text
    assert "1.0 -      3.0  S1" in text
    assert "\x1b[2K" in text  # the region is drawn anew
