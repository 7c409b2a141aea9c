from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Group
from unit.heard_turns import TWO_PEOPLE, converse, hear, rightly_named
from unit.terminals import ESCAPE, shown

from sidecar.tools.conversation import HeardTurn
from sidecar.tools.demo_report import (
    CAMPPLUS,
    findings,
    lanes,
    naming_parts,
    similarity_matrix,
    turn_table,
    voice_list,
)
from sidecar.tools.naming import NamedTurn, Naming
from sidecar.tools.recording import Recording, Turn

pytestmark = pytest.mark.usefixtures("usual_terminal")


class TestMatrix:
    def test_turns_of_a_voice_stand_side_by_side(self):
        assert shown(similarity_matrix, converse(TWO_PEOPLE)) == [
            "           A1    A3    A5     B2    B4",
            "A1      |  .    0.98  0.94 | 0.00 -0.17",
            "A3      | 0.98   .    0.98 | 0.17  0.00",
            "A5      | 0.94  0.98   .   | 0.34  0.17",
            "",
            "B2      | 0.00  0.17  0.34 |  .    0.98",
            "B4      |-0.17  0.00  0.17 | 0.98   .",
            "cosine: 1 is the same voice, 0 has nothing in common",
        ]

    def test_without_a_terminal_there_is_no_escape_and_only_ascii(self):
        text = "\n".join(shown(similarity_matrix, converse(TWO_PEOPLE)))
        assert text.isascii()
        assert "\x1b" not in text

    def test_colour_changes_no_character(self):
        plain = shown(similarity_matrix, converse(TWO_PEOPLE))
        painted = shown(similarity_matrix, converse(TWO_PEOPLE), on_terminal=True)
        assert any("\x1b[38;5;16;48;5;220m" in line for line in painted)
        drawn = [ESCAPE.sub("", line).rstrip() for line in painted]
        assert [line.replace("│", "|").replace("·", ".") for line in drawn] == plain

    def test_a_short_turn_is_starred(self):
        heard = hear((0, "anna"), (9, "anna"), length_s=1.2)
        assert shown(similarity_matrix, converse(heard))[1].startswith("A1*     |")

    @pytest.mark.parametrize("width", [30, 40, 60, 80, 100])
    @pytest.mark.parametrize("n_turns", [1, 7, 12, 16, 22, 60])
    def test_it_fits_or_is_left_out(self, width, n_turns):
        heard = hear(*((137 * index, "anna") for index in range(n_turns)))
        lines = shown(similarity_matrix, converse(heard), width)
        assert all(len(line) <= width for line in lines)
        assert all(line.isascii() for line in lines), "a cell was too narrow"
        rows = [line for line in lines if "|" in line]
        assert len(rows) == n_turns or " ".join(lines).startswith(f"{n_turns} x {n_turns} cosines")

    @pytest.mark.parametrize(
        ("width", "row", "legend"),
        [
            (40, "A1      |  .    0.98  0.94 | 0.00 -0.17", "cosine: 1 is the same"),
            (39, "A1      | . 98 94 | 0 -17", "cosine in hundredths"),
            (24, "A1      |.@@|", "too many cosines for"),
        ],
    )
    def test_the_narrower_the_tighter(self, width, row, legend):
        lines = shown(similarity_matrix, converse(TWO_PEOPLE), width)
        assert row in [line.rstrip() for line in lines]
        assert any(line.startswith(legend) for line in lines)

    def test_a_narrow_header_has_the_numbers_alone(self):
        assert shown(similarity_matrix, converse(TWO_PEOPLE), 39)[0] == "          1  3  5   2  4"

    def test_opposites_fit_a_narrow_cell(self):
        lines = shown(similarity_matrix, converse(hear((0, "anna"), (180, "ben"))), 20)
        assert "A1      | . |-99" in lines

    def test_what_fits_nowhere_is_no_matrix(self):
        heard = hear(*((index, "anna") for index in range(90)))
        expected = ["90 x 90 cosines do not fit in 80 columns."]
        assert shown(similarity_matrix, converse(heard)) == expected


class TestLanesAndTable:
    def test_a_lane_shows_when_a_voice_was_heard(self):
        assert shown(lanes, converse(TWO_PEOPLE), 29) == [
            "         0 s             10 s",
            "voice A  ####....####....####",
            "voice B  ....####....####....",
        ]

    @pytest.mark.parametrize("end_s", [1.0, 7.3, 61.0, 5000.0, 90_000.0])
    @pytest.mark.parametrize("width", [20, 60, 100])
    def test_lanes_fit(self, end_s, width):
        heard = [HeardTurn(1, Turn(0.0, end_s), (1.0,), 1.0, 1.0)]
        lines = shown(lanes, converse(heard), width)
        assert len(lines) == 2
        assert len(lines[1]) == width

    def test_the_table_says_who_was_found_and_who_is_annotated(self):
        lines = shown(turn_table, converse(TWO_PEOPLE))
        assert lines[0].split() == [
            *("turn", "start", "end", "length", "voice", "annotated", "nearest", "reply"),
            "compute",
        ]
        assert lines[2].split() == [
            *("2", "2.00", "s", "4.00", "s", "2.00", "s", "B", "ben", "4", "20.0", "ms"),
            *("15.0", "ms"),
        ]

    def test_without_annotation_there_is_no_such_column(self):
        lines = shown(turn_table, converse(hear((0, None), (9, None))))
        assert "annotated" not in lines[0]

    @pytest.mark.parametrize(
        ("width", "left_out"),
        [
            (70, {"nearest"}),
            (60, {"nearest", "end"}),
            (45, {"nearest", "end", "compute", "length"}),
            (40, {"nearest", "end", "compute", "length"}),
        ],
    )
    def test_narrow_tables_lose_their_least_telling_columns(self, width, left_out):
        lines = shown(turn_table, converse(TWO_PEOPLE), width)
        titles = {"start", "end", "length", "voice", "annotated", "nearest", "reply", "compute"}
        assert titles - set(lines[0].split()) == left_out
        assert len(lines) == 1 + len(TWO_PEOPLE)
        assert all(len(line) <= width for line in lines)

    def test_the_voices_are_listed_with_their_people(self):
        heard = hear((0, "anna"), (90, "ben"), (10, "anna"), (100, "anna"), (180, None))
        assert shown(lambda subject, _: voice_list(subject), converse(heard)) == [
            "voice A  turns 1, 3: all anna",
            "voice B  turns 2, 4: 1 of ben, 1 of anna",
            "voice C  turn 5",
        ]


class TestNames:
    def test_who_was_enrolled_and_who_the_others_are(self):
        assert shown(names, rightly_named(converse(TWO_PEOPLE))) == [
            "voice A  enrolled from 3.5 s of speech",
            "voice B  enrolled from 3.5 s of speech",
            "",
            "turn    it is    sure",
            "   3  voice A  99.5 %  right",
            "   5  voice A  99.5 %  right",
            "   4  voice B  99.5 %  right",
        ]

    def test_what_is_wrong_unknown_short_or_refused(self):
        naming = rightly_named(converse(TWO_PEOPLE))
        heard = hear((0, None), (0, None), (0, None), (0, None), length_s=1.2)
        naming.named[:] = [
            NamedTurn(heard[0], 0, 1, 0.6),
            NamedTurn(heard[1], None, None, 0.75),
            NamedTurn(heard[2], 1, None),
            NamedTurn(heard[3], 1, refused="there is too little speech in it"),
        ]
        assert shown(names, naming)[4:] == [
            "  1*  voice B  60.0 %  WRONG",
            "  2*  unknown  75.0 %  right",
            "  3*  unknown       -  WRONG",
            "not named: turn 4: there is too little speech in it",
        ]

    def test_a_voice_with_too_little_speech(self):
        naming = rightly_named(converse(TWO_PEOPLE))
        naming.enrolled[1].needed_s = 1.25
        told = "voice B  not enrolled: 3.5 s of speech, 1.2 s are missing"
        assert shown(names, naming)[1] == told

    def test_why_it_went_no_further(self):
        naming = Naming([], [], "the model that hears speech is not there")
        told = "It went no further: the model that hears speech is not there"
        assert told in shown(names, naming)

    def test_a_sidecar_without_people(self):
        assert shown(names, None) == [
            "This sidecar keeps no gallery of people, so no turn is named."
        ]


def names(naming, _console):
    return Group(*naming_parts(naming))


AS_IT_SHOULD_BE = object()


class TestReport:
    def report(
        self,
        heard,
        *,
        model=CAMPPLUS,
        is_sample=True,
        refused=(),
        naming=AS_IT_SHOULD_BE,
        **options,
    ):
        recording = Recording(Path("/a.wav"), "a", [], "", is_sample=is_sample)
        falls_short = None

        def view(conversation, console):
            nonlocal falls_short
            told = rightly_named(conversation) if naming is AS_IT_SHOULD_BE else naming
            shown, falls_short = findings(recording, model, conversation, told, console)
            return shown

        return "\n".join(shown(view, converse(heard, refused=refused), **options)), falls_short

    def test_the_sample_passes(self):
        text, falls_short = self.report(TWO_PEOPLE)
        assert not falls_short
        assert "PASS" in text

    def test_the_sample_passes_where_people_are_unknown_to_the_sidecar(self):
        text, falls_short = self.report(TWO_PEOPLE, naming=None)
        assert not falls_short
        assert "PASS: the two people are told apart.\n" in text
        assert "no turn is named" in text
        assert "named as they should be" not in text

    def test_the_sample_fails_where_a_long_turn_is_named_wrongly(self):
        naming = rightly_named(converse(TWO_PEOPLE))
        naming.named[0] = NamedTurn(naming.named[0].turn, 0, 1, 0.9)
        text, falls_short = self.report(TWO_PEOPLE, naming=naming)
        assert falls_short
        assert "2 of 3" in text
        assert "FAIL" in text

    def test_the_sample_passes_where_a_short_turn_is_named_wrongly(self):
        naming = rightly_named(converse(TWO_PEOPLE))
        [short] = hear((0, "anna"), length_s=1.2)
        naming.named.append(NamedTurn(short, 0, None, 0.9))
        text, falls_short = self.report(TWO_PEOPLE, naming=naming)
        assert not falls_short
        assert "3 of 3" in text
        assert "PASS: the two people are told apart, and known again." in text

    @pytest.mark.parametrize("lacking", ["a print", "its end", "turns"])
    def test_the_sample_fails_where_the_naming_is_not_whole(self, lacking):
        naming = rightly_named(converse(TWO_PEOPLE))
        if lacking == "a print":
            naming.enrolled[0].needed_s = 1.0
        elif lacking == "its end":
            naming = Naming(naming.enrolled, naming.named, "no model")
        else:
            naming.named.clear()
        assert self.report(TWO_PEOPLE, naming=naming)[1]

    def test_the_sample_fails_where_voices_are_mixed_up(self):
        text, falls_short = self.report(hear((0, "anna"), (90, "ben"), (10, "ben"), (100, "anna")))
        assert falls_short
        assert "FAIL" in text

    def test_the_sample_fails_where_a_turn_was_refused(self):
        text, falls_short = self.report(TWO_PEOPLE, refused=["turn 9: the device is gone"])
        assert falls_short
        assert "not embedded: turn 9: the device is gone" in text

    @pytest.mark.parametrize("other", [{"is_sample": False}, {"model": "another"}])
    def test_for_anything_else_there_is_no_verdict(self, other):
        text, falls_short = self.report(hear((0, "anna"), (90, "anna"), (0, "ben")), **other)
        assert not falls_short
        assert "mean within a speaker" in text
        assert not {"PASS", "FAIL"} & set(text.replace(":", "").split())

    def test_without_annotation_there_are_no_figures(self):
        text, _falls_short = self.report(hear((0, None), (90, None)), is_sample=False)
        assert "mean within" not in text

    @pytest.mark.parametrize("width", [40, 60, 80, 100])
    @pytest.mark.parametrize("on_terminal", [False, True])
    def test_no_line_is_wider_than_the_console(self, width, on_terminal):
        text, _falls_short = self.report(TWO_PEOPLE, width=width, on_terminal=on_terminal)
        assert all(len(ESCAPE.sub("", line)) <= width for line in text.splitlines())
        assert ("\x1b" in text) is on_terminal
        assert text.isascii() is not on_terminal
