"""``evaluate`` and ``calibrate``, with a played sidecar: what they print, write and refuse."""

from __future__ import annotations

import argparse
import json

import pytest
from unit.heard_people import play, trials_of
from unit.test_calibration import FINGERPRINTS, PLAIN

from sidecar.scores.calibration import find_calibration, write_calibration
from sidecar.tools import calibrate, evaluate

pytestmark = pytest.mark.usefixtures("usual_terminal")

CAMPPLUS = FINGERPRINTS["campplus-zh-en"]


@pytest.fixture
def run(tmp_path, capsys):
    """Runs a tool on trials; its exit code, and what it printed, each as if on one line."""

    def run_tool(tool, text, *words):
        (tmp_path / "trials.txt").write_text(text, "utf-8")
        parser = argparse.ArgumentParser()
        tool.add_arguments(parser)
        code = tool.run(parser.parse_args([str(tmp_path / "trials.txt"), *words]))
        out, err = capsys.readouterr()
        return code, out if "--json" in words else " ".join(out.split()), " ".join(err.split())

    return run_tool


class TestEvaluate:
    def test_with_the_models_own_calibration(self, run, monkeypatch):
        play(monkeypatch, CAMPPLUS)
        code, out, _ = run(evaluate, trials_of(15))
        assert code == 0
        assert "15 of one person, 105 of two" in out
        assert "speakers 15, as far as the trials of one person tell" in out
        assert "equal error rate 0.00 % 0.00 % to 0.00 %" in out
        for name in ("minDCF, prior 0.01", "minDCF, prior 0.001", "Cllr 0.", "minimum Cllr 0.000"):
            assert name in out
        assert "at far 1 %: 0.00 % of the strangers are accepted, 0.00 % of the speakers" in out

    def test_as_json(self, run, monkeypatch):
        play(monkeypatch, CAMPPLUS, spread=0.3)
        code, out, _ = run(evaluate, trials_of(15, further=["1 p0-0.wav bad.wav"]), "--json")
        report = json.loads(out)
        assert code == 0
        assert report["trials"]["targets"] == 15
        assert report["trials"]["strangers"] == 105
        assert report["trials"]["skipped_trials"] == 1
        [(path, why)] = report["trials"]["skipped_audios"].items()
        assert path.endswith("bad.wav")
        assert why == "it is no audio"
        eer = report["figures"]["eer"]
        assert 0 < eer["low"] <= eer["value"] <= eer["high"]
        assert [one["at"] for one in report["calibration"]["decisions"]] == ["far 1 %", "far 0.1 %"]

    def test_without_a_calibration_there_is_no_cllr(self, run, monkeypatch):
        play(monkeypatch, "own.0")
        code, out, _ = run(evaluate, trials_of(4))
        assert code == 0
        assert "no calibration: there is none for this model" in out
        assert "minimum Cllr" in out
        assert "at far" not in out

    def test_with_a_calibration_of_ones_own(self, run, monkeypatch, tmp_path):
        play(monkeypatch, "own.0")
        write_calibration(PLAIN, "own.0", tmp_path / "own.json")
        code, out, _ = run(evaluate, trials_of(4), "--calibration", str(tmp_path / "own.json"))
        assert code == 0
        assert "at far 1 %" in out

    def test_a_calibration_of_another_model_is_refused(self, run, monkeypatch, tmp_path):
        play(monkeypatch, "own.0")
        write_calibration(PLAIN, "own.1", tmp_path / "own.json")
        code, _, err = run(evaluate, trials_of(4), "--calibration", str(tmp_path / "own.json"))
        assert code == 64
        assert "is for own.1" in err

    def test_a_list_that_cannot_be_used(self, run, monkeypatch):
        play(monkeypatch)
        assert run(evaluate, "1 a b\n")[0] == 64

    def test_a_picture_needs_matplotlib(self, run, monkeypatch, tmp_path):
        played = play(monkeypatch)
        monkeypatch.setattr(evaluate.importlib.util, "find_spec", lambda _: None)
        code, _, err = run(evaluate, trials_of(2), "--det", str(tmp_path / "det.svg"))
        assert code == 69
        assert "pip install 'speaker-sidecar[evaluate]'" in err
        assert played.sent == []

    @pytest.mark.parametrize("name", ["det.svg", "det.png"])
    def test_a_picture(self, run, monkeypatch, tmp_path, name):
        pytest.importorskip("matplotlib")
        play(monkeypatch, spread=0.3)
        assert run(evaluate, trials_of(6), "--det", str(tmp_path / name))[0] == 0
        assert (tmp_path / name).stat().st_size > 1000
        assert run(evaluate, trials_of(6), "--det", str(tmp_path / "no" / name))[0] == 69


class TestCalibrate:
    def test_what_it_writes_is_found(self, run, monkeypatch, tmp_path):
        pytest.importorskip("sklearn")
        play(monkeypatch, "own.0", spread=0.2)
        out = tmp_path / "own.json"
        code, printed, err = run(calibrate, trials_of(30, 5), "--out", str(out))
        assert code == 0
        assert err.count("WARNING") == 0
        assert "300 of one person, 435 of two" in printed
        assert "llr from -3.4 to 6.1" in printed
        assert "on one half of the people, fitted on the other" in printed
        found = find_calibration("own.0", out)
        assert found.llr(0.9, 4, 4) > 3 > -1 > found.llr(0.0, 4, 4)
        assert (found.speakers, found.targets, found.strangers) == (30, 300, 435)

    def test_the_models_own_is_fitted_to_a_few_people_and_that_is_told(
        self, run, monkeypatch, tmp_path
    ):
        pytest.importorskip("sklearn")
        play(monkeypatch, CAMPPLUS, spread=0.2)
        code, _, err = run(calibrate, trials_of(6), "--out", str(tmp_path / "own.json"))
        assert code == 0
        assert "only 6 people with trials of one person: with fewer than 20" in err
        assert "only 6 trials of one person: with fewer than 200" in err
        assert "only 15 pairs of two people: with fewer than 300" in err
        own, known = find_calibration(CAMPPLUS, tmp_path / "own.json"), find_calibration(CAMPPLUS)
        assert own.half_s == known.half_s
        assert own.stranger_tail == known.stranger_tail
        assert own.llr(0.5, 4, 4) != known.llr(0.5, 4, 4)

    def test_from_nothing_it_takes_more(self, run, monkeypatch, tmp_path):
        pytest.importorskip("sklearn")
        play(monkeypatch, "own.0", spread=0.2)
        code, _, err = run(calibrate, trials_of(6), "--out", str(tmp_path / "own.json"))
        assert code == 64
        assert "it takes 50 pairs of two people, and there are 15" in err

    def test_trials_that_teach_the_contrary_are_refused(self, run, monkeypatch, tmp_path):
        pytest.importorskip("sklearn")
        play(monkeypatch, CAMPPLUS)
        text = (
            "0 p0-0.wav p0-1.wav\n0 p1-0.wav p1-1.wav\n1 p0-0.wav p1-0.wav\n1 p0-1.wav p1-1.wav\n"
        )
        code, _, err = run(calibrate, text, "--out", str(tmp_path / "own.json"))
        assert code == 64
        assert "the cosines of one person are not above those of two" in err
        assert not (tmp_path / "own.json").exists()

    def test_a_file_that_cannot_be_written(self, run, monkeypatch, tmp_path):
        pytest.importorskip("sklearn")
        play(monkeypatch, CAMPPLUS)
        code, _, err = run(calibrate, trials_of(8), "--out", str(tmp_path / "no" / "own.json"))
        assert code == 69
        assert "cannot be written" in err

    def test_without_scikit_learn_it_says_so_at_once(self, run, monkeypatch, tmp_path):
        played = play(monkeypatch)
        monkeypatch.setattr(calibrate.importlib.util, "find_spec", lambda _: None)
        code, _, err = run(calibrate, trials_of(2), "--out", str(tmp_path / "own.json"))
        assert code == 69
        assert "scikit-learn must be installed" in err
        assert played.sent == []
