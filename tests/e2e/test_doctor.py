from __future__ import annotations

import json
import subprocess

import pytest
from bundle_under_test import EDITION

from sidecar.tools.program import sidecar_argv


@pytest.mark.wine("its conhost.exe keeps the pipes of a program that torch started open")
def test_this_machine(request):
    if EDITION is None:
        request.getfixturevalue("campplus_weights")
    argv = [*sidecar_argv(), "doctor", "--json", "--model", "campplus-zh-en"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    report = json.loads(done.stdout)
    assert report["reason"].startswith(("the CPU serves: ", "the GPU serves: "))
    [installed] = [file for file in report["models"] if file["model"] == "campplus-zh-en"]
    assert installed["state"] == ("installed" if EDITION is None else "shipped")
    [cpu] = [device for device in report["devices"] if device["device"] == "cpu"]
    assert cpu["cosine"] > 0.9999
    assert cpu["embed_ms"] > 0
    if not report["frozen"]:
        assert min(cpu["beside_torch"][key] for key in ("ms", "torch_ms", "share")) > 0
