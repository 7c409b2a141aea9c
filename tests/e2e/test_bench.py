from __future__ import annotations

import json
import subprocess

from sidecar.tools.program import own_argv


def test_a_quick_look_at_this_machine(campplus_weights):
    assert campplus_weights
    argv = [*own_argv(), "bench", "--quick", "--json", "--model", "campplus-zh-en"]
    argv += ["--device", "cpu", "--threads", "1", "--seconds", "1", "--batches", "1,2"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["model"]["id"] == "campplus-zh-en"
    assert [contender["name"] for contender in report["contenders"]] == [
        "over the wire, cpu",
        "in process, cpu",
    ]
    assert report["contenders"][0]["about"]["threads"] == 1
    found = {(figure["measure"], figure["x"], figure["contender"]) for figure in report["figures"]}
    for name in ("over the wire, cpu", "in process, cpu"):
        assert {(measure, n, name) for measure in ("one_by_one", "batch") for n in (1, 2)} <= found
        assert {("sustained", n, name) for n in (1, 8, 64)} <= found
        assert {("latency", 1, name), ("start_to_ready", 0, name), ("rss_after", 0, name)} <= found
        assert ("product_share", 1, name) in found
    assert ("start_to_hello", 0, "over the wire, cpu") in found
    assert ("outside_compute", 1, "over the wire, cpu") in found
    assert ("product_rate", 0, "torch.mm, cpu") in found
    assert all(
        0 < figure["least"] <= figure["median"] <= figure["most"] for figure in report["figures"]
    )
    assert report["network_flop"][0]["flop"] > 5e8  # CAM++'s for a second: about 1.1e9
