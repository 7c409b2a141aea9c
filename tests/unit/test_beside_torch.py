from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest

from sidecar.config import Config
from sidecar.tools import beside_torch
from sidecar.tools.beside_torch import in_words


def served_by(runtime):
    return SimpleNamespace(device=SimpleNamespace(runtime=runtime, threads=2))


@pytest.mark.parametrize(
    ("ms", "torch_ms", "warns"),
    [(20.0, 40.0, False), (20.0, 20.0, False), (20.0, 19.0, False), (20.0, 15.0, True)],
)
def test_a_machine_on_which_torch_is_clearly_faster_is_told(ms, torch_ms, warns):
    words = in_words({"ms": ms, "torch_ms": torch_ms, "share": 0.934})
    assert words.startswith(
        f"3 s of audio in {ms:.1f} ms, with torch in {torch_ms:.1f} ms; 93 % of"
    )
    assert ("WARNING: torch is faster" in words) == warns
    assert ("--runtime torch" in words) == warns


def test_nothing_is_compared_where_torch_serves_or_is_missing(monkeypatch):
    assert beside_torch.beside_torch(served_by("torch 2.14.1"), Config()) is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert beside_torch.beside_torch(served_by("onnxruntime 1.32.0"), Config()) is None


def test_a_torch_that_is_broken_is_told_and_is_no_fault(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())

    def fail(*_):
        raise OSError("no such library")

    monkeypatch.setattr(beside_torch, "_compared", fail)
    found = beside_torch.beside_torch(served_by("onnxruntime 1.32.0"), Config())
    assert in_words(found) == "cannot be compared with torch: OSError('no such library')"
