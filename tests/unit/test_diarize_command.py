"""``diarize`` and ``evaluate --rttm`` with a played sidecar: what they print, write and refuse."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from protocol.messages import Failure
from protocol.python import RemoteError
from sidecar.tools import diarization_peers, diarize, diarized_files, evaluate
from sidecar.tools.diarization_peers import OpenPeer, PeerFailed
from sidecar.tools.recording import parse_rttm

pytestmark = pytest.mark.usefixtures("usual_terminal")

RESULT = {
    "turns": [
        {"start_s": 0.5, "end_s": 3.25, "speaker": "S1", "overlap": True},
        {"start_s": 3.0, "end_s": 3725.5, "speaker": "S2", "overlap": True},
    ],
    "speakers": [
        {"label": "S1", "embedding": b"\0\0\x80?", "speech_s": 2.75},
        {
            "label": "S2",
            "embedding": b"\0\0\x80?",
            "speech_s": 3722.5,
            "person": {"id": "1", "name": "Ada <& Lovelace>"},
            "llr": 9.0,
            "probability": 0.875,
        },
    ],
    "duration_s": 3730.0,
    "warnings": [{"kind": "odd", "message": "it is odd"}],
}
NOBODY = {"turns": [], "speakers": [], "duration_s": 4.0}


class Played:
    def __init__(self):
        self.result = RESULT
        self.sent = []
        self.words = []

    @contextlib.contextmanager
    def started(self, words, progress):
        self.words.append(list(words))
        yield self, SimpleNamespace()

    def send(self, params, on_progress=None):
        self.sent.append(params)
        on_progress(3, 10)
        future = Future()
        if "bad" in getattr(params.audio, "path", ""):
            failure = Failure(1, -32010, "it is no audio", {"kind": "unsupported_format"})
            future.set_exception(RemoteError(failure))
        else:
            future.set_result(self.result)
        return 1, future


@pytest.fixture
def played(monkeypatch):
    played = Played()
    monkeypatch.setattr(diarized_files, "started_sidecar", played.started)
    return played


@pytest.fixture
def run(capsys):
    def run_tool(tool, *words):
        parser = argparse.ArgumentParser()
        tool.add_arguments(parser)
        code = tool.run(parser.parse_args([str(word) for word in words]))
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return run_tool


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a talk.wav"
    path.touch()
    return path


def test_a_table_of_turns(run, played, recording):
    code, out, err = run(diarize, recording, "--speakers", 2, "--exclusive")
    assert code == 0
    [params] = played.sent
    assert (params.n_speakers, params.exclusive, params.identify) == (2, True, False)
    assert params.audio.path == str(recording)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "0.50 3.25 S1 not alone" in lines
    assert "3.00 3725.50 Ada <& Lovelace> not alone" in lines
    assert "Ada <& Lovelace> 1:02:02 probability 0.875" in lines
    assert "2 speaker(s)" in out
    assert "it is odd" in err


def test_files_beside_the_recording(run, played, recording):
    code, out, _ = run(diarize, recording, "--rttm", "--json", "--vtt", "--picture")
    assert code == 0
    assert "3725.50" not in out
    turns = parse_rttm(recording.with_suffix(".rttm").read_text("utf-8"), "a_talk")
    assert [(t.start_s, t.end_s, t.speaker) for t in turns] == [
        (0.5, 3.25, "S1"),
        (3.0, 3725.5, "Ada_<&_Lovelace>"),
    ]
    answer = json.loads(recording.with_suffix(".json").read_text("utf-8"))
    assert answer["file"] == "a talk.wav"
    assert answer["speakers"][0]["embedding"] == {"$bin": "AACAPw=="}
    assert answer["turns"] == RESULT["turns"]
    assert recording.with_suffix(".vtt").read_text("utf-8") == (
        "WEBVTT\n"
        "\n00:00:00.500 --> 00:00:03.250\n<v S1>S1</v>\n"
        "\n00:00:03.000 --> 01:02:05.500\n"
        "<v Ada &lt;&amp; Lovelace&gt;>Ada &lt;&amp; Lovelace&gt;</v>\n"
    )
    picture = ET.fromstring(recording.with_suffix(".svg").read_text("utf-8"))
    texts = ["".join(text.itertext()).strip() for text in picture.iter() if text.tag[-4:] == "text"]
    assert {"a talk.wav", "S1", "Ada <& Lovelace>", "1:02:02"} <= set(texts)
    bars = [bar for bar in picture.iter() if bar.tag.endswith("rect")][1:]
    assert len(bars) == 2
    assert float(bars[0].get("y")) < float(bars[1].get("y"))


def test_nothing_is_overwritten_beside_a_recording(run, played, recording, tmp_path):
    recording.with_suffix(".rttm").write_text("who annotated it", "utf-8")
    code, _, err = run(diarize, recording, "--rttm")
    assert code == 64
    assert "is there already" in err
    assert played.sent == []
    assert recording.with_suffix(".rttm").read_text("utf-8") == "who annotated it"
    for _ in range(2):
        assert run(diarize, recording, "--rttm", "--out", tmp_path / "new" / "folder")[0] == 0
    assert (tmp_path / "new" / "folder" / "a talk.rttm").exists()


def test_a_folder_and_what_is_no_audio_in_it(run, played, tmp_path):
    for name in ("b.flac", "a.wav", "bad.mp3", "notes.txt", "c.OGG"):
        (tmp_path / name).touch()
    code, out, err = run(diarize, tmp_path)
    assert [Path(params.audio.path).name for params in played.sent] == [
        *("a.wav", "b.flac", "bad.mp3", "c.OGG")
    ]
    assert code == 69
    assert "bad.mp3: it is no audio" in err
    assert out.count("2 speaker(s)") == 3
    (tmp_path / "empty").mkdir()
    code, _, err = run(diarize, tmp_path / "empty")
    assert code == 64
    assert "no recording" in err


def test_two_recordings_of_one_name_are_refused(run, played, tmp_path):
    for name in ("a.wav", "a.flac"):
        (tmp_path / name).touch()
    code, _, err = run(diarize, tmp_path, "--vtt")
    assert code == 64
    assert "both become" in err


def test_nobody_speaks(run, played, recording):
    played.result = NOBODY
    code, out, _ = run(diarize, recording, "--picture", "--vtt", "--rttm")
    assert code == 0
    assert "nobody speaks" in out
    assert "Nobody speaks." in recording.with_suffix(".svg").read_text("utf-8")
    assert recording.with_suffix(".vtt").read_text("utf-8") == "WEBVTT\n"
    assert recording.with_suffix(".rttm").read_text("utf-8") == ""


def test_the_gallery_is_asked(run, played, recording, tmp_path):
    code, _, err = run(diarize, recording, "--gallery", tmp_path / "people.db")
    assert (code, "there is no such file" in err) == (64, True)
    (tmp_path / "people.db").touch()
    assert run(diarize, recording, "--gallery", tmp_path / "people.db", "--threads", 1)[0] == 0
    assert played.sent[-1].identify
    words = played.words[-1]
    assert words[words.index("--gallery") + 1] == str(tmp_path / "people.db")
    assert words[words.index("--threads") + 1] == "1"


class TestEvaluate:
    REFERENCE = (
        "SPEAKER a 1 0.0 2.0 <NA> <NA> x <NA> <NA>\nSPEAKER a 1 2.0 2.0 <NA> <NA> y <NA> <NA>\n"
    )

    @pytest.fixture
    def annotation(self, tmp_path):
        (tmp_path / "a.wav").touch()
        (tmp_path / "a.rttm").write_text(self.REFERENCE, "utf-8")
        return tmp_path / "a.rttm"

    def test_figures(self, run, played, annotation):
        pytest.importorskip("pyannote.metrics")
        turn = {"start_s": 0.0, "end_s": 3.0, "speaker": "S1", "overlap": False}
        speaker = {"label": "S1", "embedding": b"", "speech_s": 3.0}
        played.result = {"turns": [turn], "speakers": [speaker], "duration_s": 5.0}
        code, out, _ = run(evaluate, "--rttm", annotation, "--json")
        assert code == 0
        report = json.loads(out)
        [row] = report["recordings"]
        assert row["der"][0] == pytest.approx(0.5)
        assert row["missed"] == pytest.approx(0.25)
        assert row["false_alarm"] == 0
        assert row["confusion"] == pytest.approx(0.25)
        assert (row["speakers"], row["told_speakers"]) == (2, 1)
        assert report["all"]["der"] == pytest.approx(row["der"])
        code, out, _ = run(evaluate, "--rttm", annotation)
        assert "right in 0 of 1" in out
        run(diarize, annotation.with_name("a.wav"))
        # What is evaluated is what diarizes.
        assert played.words[0] == played.words[-1]

    def test_beside_others(self, run, played, annotation, monkeypatch):
        pytest.importorskip("pyannote.metrics")
        turns = [
            {"start_s": 2.0 * n, "end_s": 2.0 * n + 2, "speaker": f"S{n}", "overlap": False}
            for n in range(2)
        ]
        speakers = [{"label": f"S{n}", "embedding": b"", "speech_s": 2.0} for n in range(2)]
        played.result = {"turns": turns, "speakers": speakers, "duration_s": 5.0}
        (annotation.parent / "b.wav").touch()
        (annotation.parent / "b.rttm").write_text(self.REFERENCE, "utf-8")

        def ask(path):
            if path.stem == "b":
                raise PeerFailed("other: it cannot")
            return [(0.0, 4.0, "one")], 5.0, 7.0

        @contextlib.contextmanager
        def opened(config, progress):
            assert config.threads == 1
            yield [OpenPeer("other", ask)], ["senko is not installed, and left out"]

        monkeypatch.setattr(diarization_peers, "opened", opened)
        words = ("--rttm", annotation, annotation.with_name("b.rttm"), "--against", "--threads", 1)
        code, out, err = run(evaluate, *words, "--json")
        assert code == 69
        assert "senko is not installed, and left out" in err
        assert "b.wav: other: it cannot" in err
        report = json.loads(out)
        assert len(report["recordings"]) == 2
        assert report["all"]["der"][0] == 0
        [row] = report["against"]["other"]["recordings"]
        assert row["recording"] == "a"
        assert row["der"][0] == pytest.approx(0.5)
        assert report["against"]["other"]["all"]["took_s"] == 7.0
        # Only the first is what loads the networks.
        assert len(played.sent) == 3
        _, out, _ = run(evaluate, *words)
        lines = [line.split() for line in out.splitlines()]
        assert ["other", "50.0", *lines[-1][2:-2], "0", "7"] == lines[-1]
        assert lines[-2][0] == "speaker-sidecar"

    def test_beside_others_only_recordings_are_heard(self, run):
        code, _, err = run(evaluate, "trials.txt", "--against")
        assert (code, "--against goes with --rttm" in err) == (64, True)

    def test_without_the_measures(self, run, played, annotation, monkeypatch):
        real = importlib.import_module

        def without(name):
            if name.startswith("pyannote"):
                raise ImportError(name)
            return real(name)

        monkeypatch.setattr(importlib, "import_module", without)
        code, _, err = run(evaluate, "--rttm", annotation)
        assert code == 69
        assert "speaker-sidecar[evaluate]" in err

    @pytest.mark.parametrize(
        ("words", "told"), [([], "name a list"), (["t.txt", "--rttm", "a.rttm"], "name a list")]
    )
    def test_one_of_two_things_is_evaluated(self, run, words, told):
        code, _, err = run(evaluate, *words)
        assert code == 64
        assert told in err

    def test_what_cannot_be_used(self, run, played, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyannote.core", SimpleNamespace())
        rates = SimpleNamespace(
            DiarizationErrorRate=lambda collar: None, JaccardErrorRate=lambda: None
        )
        monkeypatch.setitem(sys.modules, "pyannote.metrics.diarization", rates)
        (tmp_path / "a.rttm").write_text("nonsense", "utf-8")
        code, _, err = run(evaluate, "--rttm", tmp_path / "a.rttm")
        assert (code, "no recording of that name" in err) == (64, True)
        (tmp_path / "a.wav").touch()
        code, _, err = run(evaluate, "--rttm", tmp_path / "a.rttm")
        assert (code, "cannot be used as RTTM" in err) == (64, True)
