"""What becomes of a list of trials: each audio is embedded once, none is dropped silently."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
from unit.heard_people import play, trials_of, voice_of

from sidecar.tools import heard_trials
from sidecar.tools.console import ProgressLine, Refusal

pytestmark = pytest.mark.usefixtures("usual_terminal")


@pytest.fixture
def hear(tmp_path):
    def heard(text, *words):
        (tmp_path / "trials.txt").write_text(text, "utf-8")
        parser = argparse.ArgumentParser()
        heard_trials.add_arguments(parser)
        options = parser.parse_args([str(tmp_path / "trials.txt"), *words])
        return heard_trials.hear(options, ProgressLine())

    return heard


def test_each_audio_is_embedded_once_with_its_speech_alone(hear, monkeypatch):
    played = play(monkeypatch)
    heard = hear(trials_of(12), "--model", "m", "--device", "cpu", "--offline")
    assert len(played.sent) == len({params.audio.path for params in played.sent}) == 24
    assert {params.speech for params in played.sent} == {"auto"}
    assert played.words == ["--model", "m", "--device", "cpu", "--offline"]
    assert heard.n_audios == 24
    assert (heard.n_skipped, heard.n_mislabelled) == (0, 0)


def test_cosines_sides_and_speakers(hear, monkeypatch):
    play(monkeypatch)
    heard = hear("1 p0-0.wav p0-1.wav\n1 p0-1.wav p0-2.wav\n0 p0-2.wav p1-0.wav\n")
    expected = [
        float(voice_of(a).astype(float) @ voice_of(b).astype(float))
        for a, b in (("p0-0", "p0-1"), ("p0-1", "p0-2"), ("p0-2", "p1-0"))
    ]
    np.testing.assert_allclose(heard.trials.scores, expected)
    assert heard.trials.n_speakers == 2
    assert heard.trials.speakers_a[0] == heard.trials.speakers_b[1] == heard.trials.speakers_a[2]
    assert heard.speech_s_a.tolist() == [4.0] * 3


def test_where_speech_is_not_known_it_is_the_whole_audio(hear, monkeypatch):
    play(monkeypatch, quality=False)
    assert set(hear(trials_of(2), "--speech", "all").speech_s_b) == {9.0}


def test_a_bad_audio_is_told_and_its_trials_are_counted(hear, monkeypatch, capsys):
    play(monkeypatch)
    heard = hear(trials_of(3, further=["1 p0-0.wav bad.wav", "0 bad.wav p1-0.wav"]))
    assert heard.n_skipped == 2
    assert [path.name for path in heard.refused] == ["bad.wav"]
    assert len(heard.trials.scores) == 6
    told = " ".join(capsys.readouterr().err.split())
    assert "bad.wav: it is no audio" in told
    assert ("WARNING", "trials left out: 2, as audios were refused: 1") in [
        (str(name), text) for name, text in heard_trials.about(heard)
    ]


def test_nothing_is_left(hear, monkeypatch):
    play(monkeypatch)
    with pytest.raises(Refusal, match="too few audios could be embedded: it is no audio"):
        hear("1 p0-0.wav bad.wav\n0 p0-0.wav p1-0.wav\n")


def test_labels_that_contradict_each_other_are_told(hear, monkeypatch):
    play(monkeypatch)
    heard = hear("1 p0-0.wav p0-1.wav\n1 p0-1.wav p0-2.wav\n0 p0-0.wav p0-2.wav\n")
    assert heard.n_mislabelled == 1
    assert any("some labels are wrong" in text for _, text in heard_trials.about(heard))


def test_a_device_that_cannot_be(hear):
    with pytest.raises(Refusal, match="--device gpu"):
        hear(trials_of(2), "--device", "gpu")
