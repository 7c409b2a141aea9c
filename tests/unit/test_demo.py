from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sidecar.tools import demo

pytestmark = pytest.mark.usefixtures("usual_terminal")


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


@pytest.fixture
def audio(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.sin(np.arange(12_000) * 0.3), 8000)
    return str(tmp_path / "a.wav")


class TestRefusals:
    """Nothing here gets as far as starting a child, unless ``SIDECAR_ARGV`` says what to start."""

    def test_a_missing_file(self, run, tmp_path, told):
        assert run("--file", str(tmp_path / "no.wav")) == 64
        assert "cannot be read" in told()

    def test_a_file_that_is_no_audio(self, run, tmp_path, told):
        (tmp_path / "a.wav").write_text("hello", encoding="utf-8")
        assert run("--file", str(tmp_path / "a.wav")) == 64
        assert "cannot be read as audio" in told()

    def test_an_rttm_with_a_fault_in_line_1(self, run, audio, tmp_path, told):
        (tmp_path / "a.rttm").write_bytes(b"SPEAKER a 1 zero 1 <NA> <NA> anna\n")
        assert run("--file", audio, "--rttm", str(tmp_path / "a.rttm")) == 64
        assert "line 1 is malformed: 'SPEAKER a 1 zero 1" in told()

    def test_an_rttm_without_its_recording(self, run, tmp_path):
        assert run("--rttm", str(tmp_path / "a.rttm")) == 64

    def test_no_sample_and_no_network(self, run, tmp_path, told):
        assert run("--offline", "--models-dir", str(tmp_path)) == 69
        assert "conversation-sample" in told()

    def test_a_device_that_cannot_be(self, run):
        assert run("--device", "gpu") == 64

    def test_a_sidecar_that_cannot_be_started(self, run, audio, tmp_path, told, monkeypatch):
        monkeypatch.setenv("SIDECAR_ARGV", str(tmp_path / "none"))
        assert run("--file", audio) == 69
        assert "cannot be started" in told()

    def test_a_sidecar_that_ends_at_once_shows_its_last_words(
        self, run, audio, tmp_path, told, monkeypatch
    ):
        (tmp_path / "ends.py").write_text("raise SystemExit('no memory')", encoding="utf-8")
        command = f'"{sys.executable}" "{tmp_path / "ends.py"}"'
        monkeypatch.setenv("SIDECAR_ARGV", command)
        assert run("--file", audio) == 69
        assert re.search("exit code 1.*no memory", told())


class TestNaming:
    """The demo on a sidecar that is acted: see ``acted_sidecar``."""

    @pytest.fixture
    def act(self, run, tmp_path, capsys, monkeypatch):
        rate_hz, turns = 8000, 7
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * rate_hz * turns)
        soundfile.write(tmp_path / "a.wav", noise, rate_hz)
        lines = (f"SPEAKER a 1 {2 * n} 2 <NA> <NA> {'ab'[n % 2]} <NA> <NA>" for n in range(turns))
        (tmp_path / "a.rttm").write_text("\n".join(lines), "utf-8")

        def show(*capabilities):
            program = Path(__file__).with_name("acted_sidecar.py")
            words = " ".join(capabilities)
            monkeypatch.setenv("SIDECAR_ARGV", f'"{sys.executable}" "{program}" {words}')
            arguments = ["--file", str(tmp_path / "a.wav"), "--rttm", str(tmp_path / "a.rttm")]
            return run(*arguments), capsys.readouterr().out.splitlines()

        return show

    def test_voices_are_enrolled_and_the_other_turns_named(self, act):
        exit_code, lines = act("people")
        assert exit_code == 0
        start = next(n for n, line in enumerate(lines) if line.startswith("Who it is"))
        assert [line.rstrip() for line in lines[start + 1 : start + 8]] == [
            "voice A  enrolled from 4.0 s of speech",
            "voice B  enrolled from 4.0 s of speech",
            "",
            "turn    it is    sure",
            "   5  voice A  87.5 %  right",
            "   6  voice B  87.5 %  right",
            "   7  voice A  87.5 %  right",
        ]
        assert "named as they should be 3 of 3" in [" ".join(line.split()) for line in lines]

    def test_a_sidecar_that_knows_nobody_is_not_asked(self, act):
        exit_code, lines = act()
        assert exit_code == 0
        assert "This sidecar keeps no gallery of people, so no turn is named." in lines
