"""The harness's examples, played to real children."""

from __future__ import annotations

import argparse

import pytest

from sidecar.tools import harness
from sidecar.tools.harness import command

ROOT = command.EXAMPLES.parents[3]


@pytest.fixture
def play(monkeypatch):
    monkeypatch.chdir(ROOT)

    def run(example, argv, *arguments):
        parser = argparse.ArgumentParser()
        harness.add_arguments(parser)
        options = parser.parse_args([str(example), *arguments])
        options.child_argv = argv
        return harness.run(options)

    return run


@pytest.fixture
def real_argv(request, sidecar_argv, example):
    """The real sidecar's, where it has the weights that the example needs."""
    if example.stem == "diarize":
        request.getfixturevalue("segmentation_weights")
    return sidecar_argv


ALL = sorted(command.EXAMPLES.glob("*.json*"))
# For its people it takes a model whose scores have a meaning.
LIGHT = [path for path in ALL if path.stem != "people"]


def name(path):
    return path.stem


@pytest.mark.parametrize("jobs", ["1", "8"])
@pytest.mark.parametrize("example", LIGHT, ids=name)
def test_every_example_holds_for_the_light_sidecar(play, light_argv, example, jobs, capsys):
    exit_code = play(example, light_argv, "--jobs", jobs, "--quiet")
    assert exit_code == 0, capsys.readouterr().out


@pytest.mark.parametrize("jobs", ["1", "8"])
@pytest.mark.parametrize("example", ALL, ids=name)
def test_every_example_holds_for_the_real_sidecar(play, real_argv, example, jobs, capsys):
    exit_code = play(example, real_argv, "--jobs", jobs, "--quiet")
    assert exit_code == 0, capsys.readouterr().out


def test_without_a_command_it_starts_this_program(play, sidecar_argv, capsys):
    model = sidecar_argv[sidecar_argv.index("--model") + 1]
    assert play(command.EXAMPLES / "first_steps.json", [], "--model", model) == 0
    assert '"name": "speaker-sidecar"' in capsys.readouterr().out


def test_a_model_is_not_given_to_a_command_of_ones_own(play, light_argv):
    assert play(command.EXAMPLES / "first_steps.json", light_argv, "--model", "x") == 64


def test_an_example_whose_expectations_are_wrong_fails(play, light_argv, tmp_path, capsys):
    text = (command.EXAMPLES / "first_steps.json").read_text("utf-8")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(text.replace('"normalized": true', '"normalized": false'), "utf-8")
    assert play(wrong, light_argv, "--quiet") == 1
    assert "result.normalized is true, expected false" in capsys.readouterr().out
