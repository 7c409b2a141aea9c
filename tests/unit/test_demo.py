from __future__ import annotations

import argparse
import contextlib
import io
import math
import re
import subprocess
import sys
import wave
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from rich.rule import Rule

from sidecar.config import EXIT_INTERRUPTED, EXIT_IO, EXIT_USAGE
from sidecar.store.weights import FetchProgress
from sidecar.tools import demo
from sidecar.tools.console import ProgressLine, Refusal, complain, exit_code_of, open_console
from sidecar.tools.conversation import (
    Conversation,
    HeardTurn,
    group_voices,
    matches_annotation,
    measure,
    voice_name,
)
from sidecar.tools.conversation_view import lanes, similarity_matrix, turn_table, voice_list
from sidecar.tools.demo_report import CAMPPLUS, findings
from sidecar.tools.recording import Recording, cut, find_loud, open_annotated
from sidecar.tools.rttm import Turn

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch):
    """Whatever terminal, if any, the tests run in."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("rich.console.detect_legacy_windows", lambda: False)


class FakeOutput(io.TextIOWrapper):
    def __init__(self, encoding="utf-8", *, on_terminal=True) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self._on_terminal = on_terminal

    def isatty(self) -> bool:
        return self._on_terminal

    def written(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


def shown(view, subject, width=80, *, on_terminal=False) -> list[str]:
    """The lines of what ``view`` makes of ``subject``, as a tool prints them."""
    out = FakeOutput(on_terminal=on_terminal)
    with contextlib.redirect_stdout(out):
        console = open_console()
        console.width = width
        console.print(view(subject, console))
    return [line.rstrip(" ") for line in out.written().splitlines()]


def hear(*degrees_and_speakers: tuple[float, str | None], length_s=2.0) -> list[HeardTurn]:
    """Turns one after the other, each with a plane embedding at an angle."""
    return [
        HeardTurn(
            number=index + 1,
            turn=Turn(index * length_s, (index + 1) * length_s, speaker),
            embedding=np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]),
            reply_ms=20.0,
            compute_ms=15.0,
        )
        for index, (degrees, speaker) in enumerate(degrees_and_speakers)
    ]


TWO_PEOPLE = hear((0, "anna"), (90, "ben"), (10, "anna"), (100, "ben"), (20, "anna"))


def converse(heard: list[HeardTurn], threshold=0.5) -> Conversation:
    return Conversation(heard, threshold)


def randomly(n: int, seed: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).uniform(-0.2, 1, (n, n)), 1)
    return upper + upper.T + np.eye(n)


class TestGrouping:
    def test_turns_of_a_voice_come_together(self):
        assert converse(TWO_PEOPLE).groups == [[0, 2, 4], [1, 3]]

    def test_a_lone_turn_is_a_voice(self):
        assert converse(TWO_PEOPLE[:1]).groups == [[0]]

    def test_below_the_threshold_nothing_is_joined(self):
        assert group_voices(randomly(6, 1), 1.1) == [[index] for index in range(6)]

    def test_above_it_everything_is(self):
        assert group_voices(randomly(6, 1), -1.0) == [list(range(6))]

    @pytest.mark.parametrize("seed", range(20))
    def test_it_is_average_linkage_as_defined(self, seed):
        similarity = randomly(12, seed)
        groups = [[index] for index in range(12)]
        while True:
            mean, x, y = max(
                (fmean(similarity[i][j] for i in x for j in y), x, y)
                for x, y in combinations(groups, 2)
            )
            if mean < 0.5:
                break
            groups = [group for group in groups if group not in (x, y)] + [x + y]
        assert group_voices(similarity, 0.5) == sorted(sorted(group) for group in groups)

    def test_voices_have_names_beyond_the_alphabet(self):
        assert [voice_name(index) for index in (0, 25, 26)] == ["A", "Z", "V27"]


class TestFigures:
    def test_means_of_pairs_within_and_across(self):
        figures = measure(converse(TWO_PEOPLE))
        within = [math.cos(math.radians(d)) for d in (10, 10, 20, 10)]
        assert figures.mean_within == pytest.approx(fmean(within))
        assert figures.mean_across == pytest.approx(
            fmean(math.sin(math.radians(d)) for d in (0, 10, 20, -10, 0, 10))
        )
        assert figures.strays == ()

    def test_a_turn_nearer_to_another_person_is_named(self):
        heard = hear((0, "anna"), (10, "anna"), (90, "ben"), (30, "ben"))
        assert measure(converse(heard)).strays == (4,)

    def test_short_turns_do_not_count(self):
        heard = hear((0, "anna"), (90, "ben"), length_s=1.2)
        figures = measure(converse(heard))
        assert (figures.n_turns, figures.strays) == (0, ())
        assert math.isnan(figures.mean_within)
        assert math.isnan(figures.mean_across)

    @pytest.mark.parametrize(
        ("groups", "right"),
        [
            ([[0, 2, 4], [1, 3]], True),
            ([[0, 2], [1, 3], [4]], False),
            ([[0, 1, 2, 3, 4]], False),
            ([[0, 1, 2, 4], [3]], False),
        ],
    )
    def test_voices_must_be_the_people(self, groups, right):
        conversation = converse(TWO_PEOPLE)
        conversation.groups = groups
        assert matches_annotation(conversation) is right


class TestMatrix:
    def test_turns_of_a_voice_stand_side_by_side(self):
        assert shown(similarity_matrix, converse(TWO_PEOPLE)) == [
            "           A     A     A      B     B",
            "           1     3     5      2     4",
            "A    1  |  .    0.98  0.94 | 0.00 -0.17",
            "A    3  | 0.98   .    0.98 | 0.17  0.00",
            "A    5  | 0.94  0.98   .   | 0.34  0.17",
            "",
            "B    2  | 0.00  0.17  0.34 |  .    0.98",
            "B    4  |-0.17  0.00  0.17 | 0.98   .",
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
        drawn = [_ESCAPE.sub("", line).rstrip() for line in painted]
        assert [line.replace("│", "|").replace("·", ".") for line in drawn] == plain

    def test_a_short_turn_is_starred(self):
        heard = hear((0, "anna"), (9, "anna"), length_s=1.2)
        assert shown(similarity_matrix, converse(heard))[2].startswith("A    1* ")

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
            (40, "A    1  |  .    0.98  0.94 | 0.00 -0.17", "cosine: 1 is the same"),
            (39, "A    1  | . 98 94 | 0 -17", "cosine in hundredths"),
            (24, "A    1  |.@@|", "too many cosines for"),
        ],
    )
    def test_the_narrower_the_tighter(self, width, row, legend):
        lines = shown(similarity_matrix, converse(TWO_PEOPLE), width)
        assert row in [line.rstrip() for line in lines]
        assert any(line.startswith(legend) for line in lines)

    def test_opposites_fit_a_narrow_cell(self):
        lines = shown(similarity_matrix, converse(hear((0, "anna"), (180, "ben"))), 20)
        assert "A    1  | . |-99" in lines

    def test_what_fits_nowhere_is_no_matrix(self):
        heard = hear(*((index, "anna") for index in range(90)))
        expected = ["90 x 90 cosines do not fit in 80 columns."]
        assert shown(similarity_matrix, converse(heard)) == expected


class TestLanesAndTable:
    def test_a_lane_shows_when_a_voice_was_heard(self):
        assert shown(lanes, converse(TWO_PEOPLE), 29) == [
            "         0 s       5 s",
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


class TestReport:
    def report(self, heard, *, model=CAMPPLUS, is_sample=True, refused=(), **options):
        recording = Recording(Path("/a.wav"), "a", [], "", is_sample=is_sample)
        falls_short = None

        def view(conversation, console):
            nonlocal falls_short
            shown, falls_short = findings(recording, model, conversation, refused, console)
            return shown

        return "\n".join(shown(view, converse(heard), **options)), falls_short

    def test_the_sample_passes(self):
        text, falls_short = self.report(TWO_PEOPLE)
        assert not falls_short
        assert "PASS" in text

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
        assert all(len(_ESCAPE.sub("", line)) <= width for line in text.splitlines())
        assert ("\x1b" in text) is on_terminal
        assert text.isascii() is not on_terminal


def write_wav(path: Path, levels: list[float], seconds_each=1.5) -> Path:
    tone = np.sin(np.arange(round(seconds_each * 8000)) * 0.3)
    samples = np.concatenate([level * tone for level in levels])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((32000 * samples).astype("<i2").tobytes())
    return path


class TestRecording:
    def test_quiet_windows_are_left_out(self, tmp_path):
        recording = cut(write_wav(tmp_path / "a.wav", [0.5, 0.005, 0.1, 0.0]))
        assert [(turn.start_s, turn.end_s) for turn in recording.turns] == [(0.0, 1.5), (3.0, 4.5)]
        assert "4 windows of 1.5 s" in recording.remark
        assert "2 of them too quiet" in recording.remark

    def test_a_last_window_under_1_s_is_left_out(self, tmp_path):
        recording = cut(write_wav(tmp_path / "a.wav", [0.5, 0.5], seconds_each=1.2))
        assert [(turn.start_s, turn.end_s) for turn in recording.turns] == [(0.0, 1.5)]

    def test_silence_has_nothing_to_send(self, tmp_path):
        assert find_loud([0.0, 0.0]) == []
        with pytest.raises(Refusal, match="nothing left to send"):
            cut(write_wav(tmp_path / "a.wav", [0.0, 0.0]))

    def test_annotated_turns_under_1_s_are_left_out(self, tmp_path):
        rttm = tmp_path / "a.rttm"
        rttm.write_text(
            "SPEAKER a 1 0.0 0.9 <NA> <NA> anna <NA> <NA>\n"
            "SPEAKER a 1 1.0 1.0 <NA> <NA> ben <NA> <NA>\n",
            encoding="utf-8-sig",
        )
        recording = open_annotated(write_wav(tmp_path / "a.wav", [0.5]), rttm)
        assert recording.turns == [Turn(1.0, 2.0, "ben")]
        assert "1 under 1 s are left out" in recording.remark

    def test_the_path_is_absolute(self, tmp_path, monkeypatch):
        write_wav(tmp_path / "a.wav", [0.5])
        monkeypatch.chdir(tmp_path)
        assert cut(Path("a.wav")).path == tmp_path / "a.wav"


@pytest.fixture
def run():
    def run_demo(*words: str) -> int:
        parser = argparse.ArgumentParser()
        demo.add_arguments(parser)
        return demo.run(parser.parse_args(list(words)))

    return run_demo


@pytest.fixture
def told(capsys):
    """What stderr got, as if on one line: it is wrapped."""
    return lambda: " ".join(capsys.readouterr().err.split())


class TestRefusals:
    """Nothing here gets as far as starting a child, unless ``SIDECAR_ARGV`` says what to start."""

    def test_a_missing_file(self, run, tmp_path, told):
        assert run("--file", str(tmp_path / "no.wav")) == 64
        assert "cannot be read" in told()

    def test_a_file_that_is_no_audio(self, run, tmp_path, told):
        (tmp_path / "a.wav").write_text("hello", encoding="utf-8")
        assert run("--file", str(tmp_path / "a.wav")) == 64
        assert "cannot be read as audio" in told()

    def test_an_rttm_with_a_fault_in_line_1(self, run, tmp_path, told):
        audio = write_wav(tmp_path / "a.wav", [0.5])
        (tmp_path / "a.rttm").write_bytes(b"SPEAKER a 1 zero 1 <NA> <NA> anna\n")
        assert run("--file", str(audio), "--rttm", str(tmp_path / "a.rttm")) == 64
        assert "line 1: the start 'zero'" in told()

    def test_an_rttm_without_its_recording(self, run, tmp_path):
        assert run("--rttm", str(tmp_path / "a.rttm")) == 64

    def test_no_sample_and_no_network(self, run, tmp_path, told):
        assert run("--offline", "--models-dir", str(tmp_path)) == 69
        assert "conversation-sample" in told()

    def test_a_device_that_cannot_be(self, run):
        assert run("--device", "gpu") == 64

    def test_a_sidecar_that_cannot_be_started(self, run, tmp_path, told, monkeypatch):
        monkeypatch.setenv("SIDECAR_ARGV", str(tmp_path / "none"))
        assert run("--file", str(write_wav(tmp_path / "a.wav", [0.5]))) == 69
        assert "cannot be started" in told()

    def test_a_sidecar_that_ends_at_once_shows_its_last_words(
        self, run, tmp_path, told, monkeypatch
    ):
        (tmp_path / "ends.py").write_text("raise SystemExit('no memory')", encoding="utf-8")
        command = f'"{sys.executable}" "{tmp_path / "ends.py"}"'
        monkeypatch.setenv("SIDECAR_ARGV", command)
        assert run("--file", str(write_wav(tmp_path / "a.wav", [0.5]))) == 69
        assert re.search("exit code 1.*no memory", told())


class TestConsole:
    @pytest.fixture
    def opened(self, monkeypatch):
        def open_with(out, **environment: str):
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr(sys, "stdout", out)
            return open_console()

        return open_with

    def drawn(self, console, out) -> str:
        console.print(Rule("[title]", style="red"))
        return out.written()

    def test_a_terminal_gets_colour_and_unicode(self, opened):
        out = FakeOutput()
        text = self.drawn(opened(out), out)
        assert "\x1b[31m" in text
        assert "─ [title] ─" in _ESCAPE.sub("", text)

    def test_a_pipe_gets_neither_and_utf8(self, opened):
        out = FakeOutput("cp1252", on_terminal=False)
        console = opened(out, COLUMNS="40")
        assert self.drawn(console, out).strip() == f"{' [title] ':-^80}"
        assert out.encoding == "utf-8"
        console.print("\N{SNOWMAN}")
        assert out.written().endswith("\N{SNOWMAN}\n")

    @pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_a_terminal_without_colour(self, opened, environment):
        out = FakeOutput()
        assert "\x1b[31m" not in self.drawn(opened(out, **environment), out)

    def test_a_terminal_keeps_its_encoding_and_nothing_fails_on_it(self, opened):
        out = FakeOutput("cp850")
        console = opened(out)
        assert "- [title] -" in _ESCAPE.sub("", self.drawn(console, out))
        console.print("\N{SNOWMAN}")
        assert out.written().endswith("?\n")

    def test_no_standard_output_at_all(self, opened):
        opened(None).print("nobody reads this")

    @pytest.mark.parametrize(("columns", "width"), [("60", 60), ("300", 100)])
    def test_the_width_has_a_bound(self, opened, columns, width):
        assert opened(FakeOutput(), COLUMNS=columns).width == width

    def test_a_complaint_is_wrapped_on_a_terminal_alone(self, monkeypatch, capsys):
        message = f"{'/folder ' * 20}is no [folder]:\n  it is none"
        complain(message)
        assert capsys.readouterr().err == f"{message}\n"
        terminal = FakeOutput()
        monkeypatch.setattr(sys, "stderr", terminal)
        complain(message)
        lines = terminal.written().splitlines()
        assert [len(line) <= 80 for line in lines] == [True] * 4
        assert " ".join(terminal.written().split()) == " ".join(message.split())


class TestExitCodes:
    @pytest.mark.parametrize(
        ("end", "exit_code", "told"),
        [
            (Refusal("no such file", EXIT_USAGE), EXIT_USAGE, "no such file\n"),
            (KeyboardInterrupt(), EXIT_INTERRUPTED, "Stopped.\n"),
        ],
    )
    def test_an_end_that_is_no_fault_of_the_program(self, capsys, end, exit_code, told):
        def command(progress):
            raise end

        assert exit_code_of(command) == exit_code
        assert capsys.readouterr().err == told

    def test_any_other_end_takes_the_progress_line_away_too(self, monkeypatch):
        terminal = FakeOutput()
        monkeypatch.setattr(sys, "stderr", terminal)

        def command(progress):
            progress.show("working")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            exit_code_of(command)
        hide, show = "\x1b[?25l", "\x1b[?25h"
        assert terminal.written().rindex(show) > terminal.written().rindex(hide)

    def test_a_closed_standard_output(self):
        """In a process of its own, as it gives its standard output up."""
        code = (
            "import time\n"
            "from sidecar.tools.console import exit_code_of, open_console\n"
            "def command(progress):\n"
            "    while True: open_console().print('x' * 9999)\n"
            "raise SystemExit(exit_code_of(command))\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        with process.stderr:
            assert process.stderr.read() == b""
        assert process.wait(30) == EXIT_IO


class TestProgressLine:
    def test_on_a_terminal_it_passes(self, monkeypatch):
        terminal = FakeOutput()
        monkeypatch.setattr(sys, "stderr", terminal)
        progress = ProgressLine()
        progress.show("loading")
        progress.show("fetching", "10 of [20]")
        progress.clear()
        text = terminal.written()
        assert "fetching 10 of [20]" in text
        assert text.endswith("\x1b[2K"), "the line is erased at last"

    def test_elsewhere_each_step_is_a_line(self, capsys):
        progress = ProgressLine()
        for detail in ("1 of 3", "2 of 3", "3 of 3"):
            progress.show("fetching", detail)
        progress.show("loading")
        progress.clear()
        assert capsys.readouterr().err == "fetching 1 of 3\nloading\n"

    def test_a_long_fetch_is_told_now_and_then(self, capsys, monkeypatch):
        now_s = 100.0
        monkeypatch.setattr("time.monotonic", lambda: now_s)
        progress = ProgressLine()
        for done_bytes in range(0, 8_000_001, 1_000_000):
            progress.show_fetch(FetchProgress(done_bytes, 8_000_000, "a.pt from fake"))
            now_s += 1
        assert capsys.readouterr().err.splitlines() == [
            "a.pt from fake",
            "a.pt from fake (5.0 of 8.0 MB)",
        ]
