from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from protocol.reports import Progress
from sidecar.__main__ import main
from sidecar.engine.export_process import ConversionFailed
from sidecar.store.assets import (
    Asset,
    AssetFile,
    SourceFailed,
    Watch,
)
from sidecar.store.catalog import MODELS
from sidecar.store.weights import MODELS_DIR_VARIABLE
from sidecar.tools import models

GOOD = b"weights"


@dataclass(frozen=True)
class FakeSource:
    failure: BaseException | None = None
    name: str = "fake"

    def transfer_bytes(self, file: AssetFile) -> int:
        return file.n_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        watch(0)
        if self.failure is not None:
            raise self.failure
        (work / file.name).write_bytes(GOOD)
        return work / file.name


def make_asset(asset_id: str, failure: BaseException | None = None) -> Asset:
    sha256 = hashlib.sha256(GOOD).hexdigest()
    file = AssetFile("a.pt", len(GOOD), sha256, (FakeSource(failure),))
    return Asset(asset_id, "A title", "MIT", "https://example.org", (file,))


def fake_conversion(model, runtime, models_dir, on_progress, should_stop):
    assert runtime == "onnxruntime"
    assert (models_dir / model / "a.pt").read_bytes() == GOOD
    on_progress(Progress("convert", 5, 5, "steps"))


@pytest.fixture
def command(monkeypatch, tmp_path):
    assets = [
        make_asset("one"),
        make_asset("broken", SourceFailed("gone")),
        make_asset("interrupted", KeyboardInterrupt()),
        make_asset("two"),
    ]
    monkeypatch.setattr(models, "ASSETS", {asset.id: asset for asset in assets})
    monkeypatch.setattr(models, "MODELS", {"one": assets[0]})
    monkeypatch.setattr(models, "convert_apart", fake_conversion)

    def run(*words: str) -> int:
        parser = argparse.ArgumentParser()
        models.add_arguments(parser)
        return models.run(parser.parse_args([*words, "--models-dir", str(tmp_path)]))

    return run


def test_list_shows_id_licence_size_state_and_path(command, tmp_path, capsys):
    assert command("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["one", "MIT", "0.0", "MB", "absent", "a.pt"]
    assert lines[-1] == f"The files are in {tmp_path}, each in a folder with its ID."


def test_list_as_json(command, tmp_path, capsys):
    command("fetch", "one")
    capsys.readouterr()
    assert command("list", "--json") == 0
    one, broken, *_others = json.loads(capsys.readouterr().out)
    assert (one["id"], one["kind"], one["state"]) == ("one", "model", "installed")
    assert one["files"][0]["path"] == str(tmp_path / "one" / "a.pt")
    assert (broken["kind"], broken["state"]) == ("sample", "absent")


def test_list_of_one(command, capsys):
    assert command("list", "two", "--json") == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == ["two"]


def test_fetch_as_json_leaves_words_to_standard_error(command, capsys):
    assert command("fetch", "one", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)[0]["state"] == "installed"
    assert "one: converted" in captured.err


def test_fetch_converts_models_and_nothing_else(command, capsys):
    assert command("fetch", "one") == 0
    captured = capsys.readouterr()
    assert "one: converted" in captured.out
    assert "one: converting: 5 of 5 steps" in captured.err
    assert command("fetch", "two") == 0
    assert "two: convert" not in "".join(capsys.readouterr())


def test_a_model_that_cannot_be_converted_is_fetched_all_the_same(command, capsys, monkeypatch):
    def fail(*_):
        raise ConversionFailed("the disk is full")

    monkeypatch.setattr(models, "convert_apart", fail)
    assert command("fetch", "one") == 0
    assert "torch will run it: the disk is full" in capsys.readouterr().err


def test_fetch_prints_the_path_and_plain_progress(command, tmp_path, capsys):
    assert command("fetch", "one") == 0
    captured = capsys.readouterr()
    assert str(tmp_path / "one" / "a.pt") in captured.out
    assert captured.err.splitlines()[0] == "a.pt from fake"


def test_fetch_that_fails_says_why(command, capsys):
    assert command("fetch", "broken") == 69
    assert "fake: gone" in capsys.readouterr().err


def test_a_fetch_of_all_goes_on_after_a_failure(command, capsys, monkeypatch):
    assets = {asset_id: models.ASSETS[asset_id] for asset_id in ("broken", "one", "two")}
    monkeypatch.setattr(models, "ASSETS", assets)
    assert command("fetch", "--json") == 69
    captured = capsys.readouterr()
    states = {one["id"]: one["state"] for one in json.loads(captured.out)}
    assert states == {"broken": "absent", "one": "installed", "two": "installed"}
    assert captured.err.count("fake: gone") == 1
    del assets["broken"]
    assert command("fetch") == 0


@pytest.mark.parametrize("words", [("one", "--offline"), ("--offline", "one")])
def test_fetch_offline_fetches_nothing(command, tmp_path, words):
    assert command("fetch", *words) == 69
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_fetch(command, capsys):
    assert command("fetch", "interrupted") == 130
    assert "Stopped" in capsys.readouterr().err


def test_the_help_of_an_action_says_where_models_are_kept(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["models", "fetch", "--help"])
    assert caught.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"default: {MODELS_DIR_VARIABLE}, or the user's data folder" in told


@pytest.mark.parametrize("words", [(), ("fetch", "--no-such-option"), ("no-such-action",)])
def test_wrong_usage(words):
    with pytest.raises(SystemExit) as caught:
        main(["models", *words])
    assert caught.value.code == 64


@pytest.mark.parametrize("action", ["fetch", "verify"])
def test_an_unknown_id_lists_the_known_ones(command, action, capsys):
    assert command(action, "onee") == 64
    assert "one, broken, interrupted, two" in capsys.readouterr().err


def test_verify(command, tmp_path, capsys):
    assert command("verify") == 69, "nothing is installed"
    assert command("verify", "one") == 69
    command("fetch", "one")
    assert command("verify") == 0, "what was never fetched is no fault"
    assert command("verify", "one") == 0
    assert command("verify", "broken") == 69
    command("fetch", "two")
    (tmp_path / "one" / "a.pt").write_bytes(b"weighty")
    assert command("verify") == 69
    capsys.readouterr()
    assert command("verify", "one", "--json") == 69
    assert json.loads(capsys.readouterr().out)[0]["state"] == "damaged"


@pytest.mark.parametrize(("passed", "exit_code"), [(True, 0), (None, 0), (False, 69)])
def test_an_ecapa_is_sound_if_speechbrain_does_not_disagree(
    command, tmp_path, capsys, monkeypatch, *, passed, exit_code
):
    check = {"folder": str(tmp_path / "ecapa"), "passed": passed, "text": "compared"}
    monkeypatch.setattr(models, "check_parity", lambda folder: check | {"folder": str(folder)})
    files = make_asset("ecapa").files
    models.ASSETS["ecapa"] = replace(MODELS["ecapa-voxceleb"], id="ecapa", files=files)
    assert command("fetch", "ecapa") == 0
    capsys.readouterr()
    assert command("verify", "ecapa") == exit_code
    assert f"{tmp_path / 'ecapa'}: compared\n" in capsys.readouterr().out
    assert command("verify", "ecapa", "--json") == exit_code
    captured = capsys.readouterr()
    assert json.loads(captured.out)[0]["state"] == "installed"
    assert captured.err == f"{tmp_path / 'ecapa'}: compared\n"


def test_a_folder_that_speechbrain_cannot_load(command, tmp_path, capsys):
    assert command("verify", str(tmp_path), "--json") == 69
    check = json.loads(capsys.readouterr().out)
    assert (check["folder"], check["passed"], check["figures"]) == (str(tmp_path), None, {})
    assert "SpeechBrain cannot" in check["text"]
