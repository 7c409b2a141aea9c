"""The bench's options: what they mean, and which are refused."""

from __future__ import annotations

import argparse

import pytest

from protocol.messages import Failure
from protocol.python import RemoteError
from sidecar.tools.bench import command
from sidecar.tools.bench.plan import QUICK, Extent


def options(*words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    return parser.parse_args(["--model", "campplus-zh-en", *words])


@pytest.fixture
def measured(monkeypatch):
    """What was asked to be measured: the options and the extent."""
    asked = []
    monkeypatch.setattr(command, "measure", lambda *given: asked.extend(given[:2]) or {})
    return asked


def test_what_the_options_mean(measured, capsys):
    words = ("--device=cuda, cpu", "--seconds=1,2.5,1", "--batches=4", "--requests=9")
    variants = ("--serve=--runtime openvino", "--serve=--gpu")
    assert command.run(options(*words, *variants, "--threads=3", "--quick", "--json")) == 0
    asked, extent = measured
    assert asked.device == ("cuda:0", "cpu")
    assert asked.threads == 3
    assert asked.serve == [["--runtime", "openvino"], ["--gpu"]]
    assert extent.seconds == (1, 2.5)
    assert extent.batches == (4,)
    assert extent.n_requests == 9
    assert extent.rounds == QUICK.rounds
    assert capsys.readouterr().out == "{}\n"


def test_by_default_all_is_measured(measured):
    assert command.run(options("--json")) == 0
    assert measured[1] == Extent()
    assert measured[0].threads >= 1


@pytest.mark.parametrize(
    "word",
    ["--device=auto", "--device=tpu", "--seconds=0", "--seconds=x", "--batches=0", "--threads=-1"],
)
def test_an_option_that_cannot_be(word):
    with pytest.raises(argparse.ArgumentError, match="it must be"):
        options(word)


@pytest.mark.parametrize(
    ("model", "other", "why"),
    [
        ("campplus-zh-en", "speechbrain", "runs an ECAPA-TDNN"),
        ("ecapa-voxceleb", "sherpa-onnx", "runs campplus-zh-en, not ecapa-voxceleb"),
    ],
)
def test_another_program_must_fit_the_model(model, other, why, capsys):
    assert command.run(options("--model", model, "--against", other)) == 64
    assert why in " ".join(capsys.readouterr().err.split())


def test_what_is_not_installed_is_named_with_the_way_to_install_it(monkeypatch, capsys):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _: None)
    assert command.run(options("--against", "sherpa-onnx")) == 69
    told = " ".join(capsys.readouterr().err.split())
    assert "sherpa_onnx, onnx, onnxscript must be installed" in told
    assert "pip install 'speaker-sidecar[bench]'" in told
    assert command.run(options("--plot", "out.png")) == 69
    assert "matplotlib" in capsys.readouterr().err


def test_an_unknown_model_is_told(capsys):
    assert command.run(options("--model", "nope", "--against", "speechbrain")) == 69
    assert "neither one of the catalog" in " ".join(capsys.readouterr().err.split())


def test_a_request_that_a_sidecar_refuses_is_told(monkeypatch, capsys):
    def refuse(*_):
        raise RemoteError(Failure(1, -32_000, "out of memory", {"kind": "gpu"}))

    monkeypatch.setattr(command, "measure", refuse)
    assert command.run(options()) == 70
    assert "refused a request: out of memory" in capsys.readouterr().err
