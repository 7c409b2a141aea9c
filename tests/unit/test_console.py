from __future__ import annotations

import subprocess
import sys

import pytest
from rich.rule import Rule
from unit.terminals import ESCAPE, FakeOutput

from sidecar.config import EXIT_INTERRUPTED, EXIT_IO, EXIT_USAGE
from sidecar.store.weights import FetchProgress
from sidecar.tools.console import ProgressLine, Refusal, complain, exit_code_of, open_console

pytestmark = pytest.mark.usefixtures("usual_terminal")


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
        assert "─ [title] ─" in ESCAPE.sub("", text)

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
        assert "- [title] -" in ESCAPE.sub("", self.drawn(console, out))
        console.print("\N{SNOWMAN}")
        assert out.written().endswith("?\n")

    @pytest.mark.parametrize("on_terminal", [True, False])
    def test_a_path_that_is_no_utf8_is_shown_with_escapes(self, opened, on_terminal):
        out = FakeOutput(on_terminal=on_terminal)
        opened(out).print("/home/j\udcfcrgen/\u00fc")
        assert "/home/j\\udcfcrgen/\u00fc" in out.written()

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

    @pytest.mark.parametrize(
        ("system", "file", "told"),
        [("nt", None, "74"), ("nt", "a?.wav", "OSError"), ("posix", None, "OSError")],
    )
    def test_a_pipe_that_windows_calls_an_invalid_argument(self, system, file, told):
        """In a process of its own, as it gives its standard output up."""
        code = (
            "import errno, os, sys\n"
            "from sidecar.tools.console import exit_code_of\n"
            "def command(progress):\n"
            f"    raise OSError(errno.EINVAL, 'Invalid argument', {file!r})\n"
            f"os.name = {system!r}\n"
            "try: told = exit_code_of(command)\n"
            "except OSError: told = 'OSError'\n"
            "print(told, file=sys.stderr)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stderr.strip() == told


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
        monkeypatch.setattr("time.perf_counter", lambda: now_s)
        progress = ProgressLine()
        for done_bytes in range(0, 8_000_001, 1_000_000):
            progress.show_fetch(FetchProgress(done_bytes, 8_000_000, "a.pt from fake"))
            now_s += 1
        assert capsys.readouterr().err.splitlines() == [
            "a.pt from fake",
            "a.pt from fake (5.0 of 8.0 MB)",
        ]
