"""``evaluate --rttm --against`` as a person runs it, with those of its peers that are installed."""

from __future__ import annotations

import json
import subprocess

import pytest

from sidecar.tools.diarization_peers import PEERS
from sidecar.tools.program import own_argv

pytest.importorskip("pyannote.metrics")


@pytest.mark.usefixtures("campplus_weights", "segmentation_weights")
def test_beside_those_that_run_here(shared):
    reference = shared / "audio" / "conversations" / "talk-3.rttm"
    if not reference.exists():
        pytest.skip("no conversations in ../shared")
    done = subprocess.run(
        [*own_argv(), "evaluate", "--against", "--json", "--threads", "1", "--rttm", reference],
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    installed = [name for name, peer in PEERS.items() if peer.is_installed]
    assert list(report.get("against", ())) == installed
    for name in PEERS:
        assert (f"{name} is not installed" in done.stderr) == (name not in installed)
    # Twelve seconds of three people in turn: it is hardly to be missed.
    assert report["all"]["der"][0] < 0.05
    for name in installed:
        other = report["against"][name]["all"]
        assert 0 < other["der"][0] < 0.7, name
        assert other["duration_s"] == pytest.approx(report["all"]["duration_s"], abs=0.01)
        assert other["took_s"] > 0
    print({name: report["against"][name]["all"]["der"] for name in installed})
