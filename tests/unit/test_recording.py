from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sidecar.tools.console import Refusal
from sidecar.tools.recording import Turn, open_recording, parse_rttm


def line(start="1.5", duration="2.0", speaker="anna", recording="talk") -> str:
    return f"SPEAKER {recording} 1 {start} {duration} <NA> <NA> {speaker} <NA> <NA>\n"


def test_turns_come_by_their_start():
    assert parse_rttm(line("4.0", "1.25", "ben") + line(), "talk") == [
        Turn(1.5, 3.5, "anna"),
        Turn(4.0, 5.25, "ben"),
    ]


def test_what_is_no_turn_is_passed_over():
    text = ";; a comment\n\nSPKR-INFO talk 1 <NA> <NA> <NA> adult_male ben <NA>\n" + line()
    assert [turn.speaker for turn in parse_rttm(text, "talk")] == ["anna"]


def test_windows_line_ends_and_a_missing_lookahead_do_no_harm():
    text = "SPEAKER talk 1 0 1 <NA> <NA> anna\r\n"
    assert parse_rttm(text, "talk") == [Turn(0.0, 1.0, "anna")]


def test_seconds_may_be_written_in_other_ways():
    text = line(".5", "2.") + line("1e-05", "3")
    assert [(turn.start_s, turn.duration_s) for turn in parse_rttm(text, "talk")] == [
        (1e-05, 3.0),
        (0.5, 2.0),
    ]


def test_a_name_may_hold_a_unicode_line_separator():
    assert parse_rttm(line(speaker="an\x85na") + line("9"), "talk")[1].start_s == 9.0


def test_of_several_recordings_only_the_named_one_counts():
    text = line(speaker="anna") + line(speaker="carl", recording="other")
    assert [turn.speaker for turn in parse_rttm(text, "other")] == ["carl"]
    with pytest.raises(match="no SPEAKER line of 'third', only of other, talk"):
        parse_rttm(text, "third")


def test_a_single_recording_may_have_any_name():
    assert len(parse_rttm(line(recording="talk"), "renamed")) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it has no SPEAKER line"),
        (line() + "SPEAKER talk 1 0.5\n", "line 2 is malformed: 'SPEAKER talk 1 0.5'"),
        (line() + "\n" + line(start="now"), "line 3 is malformed: 'SPEAKER talk 1 now"),
        (line(duration="-1"), "line 1 is malformed"),
        (line(start="nan"), "line 1 is malformed"),
        (line(duration="inf"), "line 1 is malformed"),
        (line(duration="9" * 400), "line 1 is malformed"),
        (line(duration="1.2.3"), "line 1 is malformed"),
        ("SPEAKER\n", "line 1 is malformed"),
        ("RIFF....WAVE", "line 1 is malformed: 'RIFF....WAVE'"),
    ],
)
def test_a_fault_is_told_with_its_line(text, fault):
    with pytest.raises(ValueError, match=re.escape(fault)):
        parse_rttm(text, "talk")


def write_wav(path: Path, levels: list[float], seconds_each=1.5) -> Path:
    tone = np.sin(np.arange(round(seconds_each * 8000)) * 0.3)
    soundfile.write(path, np.concatenate([level * tone for level in levels]), 8000)
    return path


class TestRecording:
    def test_quiet_windows_are_left_out(self, tmp_path):
        recording = open_recording(write_wav(tmp_path / "a.wav", [0.5, 0.005, 0.1, 0.0]), None)
        assert [(turn.start_s, turn.end_s) for turn in recording.turns] == [(0.0, 1.5), (3.0, 4.5)]
        assert "4 windows of 1.5 s" in recording.remark
        assert "2 of them too quiet" in recording.remark

    def test_a_last_window_under_1_s_is_left_out(self, tmp_path):
        recording = open_recording(
            write_wav(tmp_path / "a.wav", [0.5, 0.5], seconds_each=1.2), None
        )
        assert [(turn.start_s, turn.end_s) for turn in recording.turns] == [(0.0, 1.5)]

    def test_silence_has_nothing_to_send(self, tmp_path):
        with pytest.raises(Refusal, match="nothing left to send"):
            open_recording(write_wav(tmp_path / "a.wav", [0.0, 0.0]), None)

    def test_annotated_turns_under_1_s_are_left_out(self, tmp_path):
        rttm = tmp_path / "a.rttm"
        rttm.write_text(
            "SPEAKER a 1 0.0 0.9 <NA> <NA> anna <NA> <NA>\n"
            "SPEAKER a 1 1.0 1.0 <NA> <NA> ben <NA> <NA>\n",
            encoding="utf-8-sig",
        )
        recording = open_recording(write_wav(tmp_path / "a.wav", [0.5]), rttm)
        assert recording.turns == [Turn(1.0, 2.0, "ben")]
        assert "1 under 1 s are left out" in recording.remark

    def test_the_path_is_absolute(self, tmp_path, monkeypatch):
        write_wav(tmp_path / "a.wav", [0.5])
        monkeypatch.chdir(tmp_path)
        assert open_recording(Path("a.wav"), None).path == tmp_path / "a.wav"
