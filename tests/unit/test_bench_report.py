"""The bench's report: its tables, and its picture."""

from __future__ import annotations

import re
import sys

import pytest

from sidecar.tools.bench import measurement, report
from sidecar.tools.console import Refusal


def figures_of(measure, x, unit, values_of_contenders):
    keys = {"measure": measure, "x": x, "unit": unit}
    return [
        {**keys, "contender": name, **measurement.spread(values)}
        for name, values in values_of_contenders.items()
    ]


def found():
    about = {"precision": "f32", "threads": 2}
    own = about | {"runtime": "torch 2.14.1", "remark": ""}
    other = about | {"runtime": "sherpa-onnx", "remark": "other features"}
    factors = {
        "sherpa-onnx, cpu": 1,
        "over the wire, cpu": 0.5,
        "in process, cpu": 0.4,
        "over the wire, cuda:0": 0.05,
    }
    ours = {name: factor for name, factor in factors.items() if "sherpa" not in name}
    figures = []
    for s in (1.0, 3.0):
        times = {name: [round(f * s * ms, 3) for ms in (38, 40, 42)] for name, f in factors.items()}
        figures += figures_of("latency", s, "ms", times)
    wire = "over the wire, cpu"
    figures += figures_of("outside_compute", 1.0, "ms", {wire: [0.71, 0.73, 0.75]})
    figures += figures_of("one_by_one", 8, "ms", {name: [f * 320] for name, f in factors.items()})
    figures += figures_of("batch", 8, "ms", {name: [f * 200] for name, f in ours.items()})
    rates = {name: [25 / f] for name, f in factors.items()}
    figures += figures_of("sustained", 64, "x real time", rates)
    figures += figures_of("start_to_ready", 0, "ms", {name: [1234.5] for name in factors})
    figures += figures_of("rss_ready", 0, "bytes", {name: [150e6] for name in factors})
    figures += figures_of("product_rate", 0, "GFLOP/s", {"torch.mm, cpu": [80, 82, 84]})
    figures += figures_of("product_share", 1.0, "of 1", {wire: [0.67]})
    return {
        "speaker_sidecar": "0.1.0",
        "python": "3.12.1",
        "system": "Windows-11",
        "cpu": {"name": "Ryzen", "cores": 8, "simd": "AVX2"},
        "gpus": [{"index": 0, "name": "RTX 4070"}],
        "versions": {"torch": "2.14.1", "sherpa-onnx": "2.0"},
        "load": {"average_before": 3.2, "others_cores": 1.5},
        "warnings": ["not measured: torch.mm, cuda:0: no torch"],
        "model": {"id": "campplus-zh-en", "fingerprint": "campplus.0"},
        "threads": 2,
        "network_flop": [{"seconds": 1.0, "flop": 1.1e9}, {"seconds": 3.0, "flop": 3.2e9}],
        "contenders": [
            {"name": name, "about": other if "sherpa" in name else own} for name in factors
        ],
        "figures": figures,
    }


EXPECTED = """
speaker-sidecar  0.1.0, Python 3.12.1
system           Windows-11
CPU              Ryzen, 8 cores, AVX2
GPU 0            RTX 4070
versions         torch 2.14.1, sherpa-onnx 2.0
other programs   load 3.2 before the run, 1.5 cores during it
model            campplus-zh-en
threads          2 for each contender, unless its name says otherwise
WARNING          not measured: torch.mm, cuda:0: no torch

contenders, each in a process of its own, one working at a time
sherpa-onnx, cpu       sherpa-onnx, f32, threads: 2
                       other features
over the wire, cpu     torch 2.14.1, f32, threads: 2
in process, cpu        torch 2.14.1, f32, threads: 2
over the wire, cuda:0  torch 2.14.1, f32, threads: 2

A cell: the median, and times as fast as the first row; below, the quartiles.

one utterance, ms
                                1 s           3 s
sherpa-onnx, cpu         40.0 1.00x     120 1.00x
                          39.0-41.0       117-123
over the wire, cpu       20.0 2.00x    60.0 2.00x
                          19.5-20.5     58.5-61.5
in process, cpu          16.0 2.50x    48.0 2.50x
                          15.6-16.4     46.8-49.2
over the wire, cuda:0   2.00 20.00x   6.00 20.00x
                          1.95-2.05     5.85-6.15

apart from computing: what a host waits beyond it, ms
                                                     1 s      3 s
over the wire, cpu                            0.73 1.00x        -
                                               0.72-0.74
over the wire, cpu: ms more than in process        +4.00   +12.00

utterances of 1 s, one by one, ms
                                  8
sherpa-onnx, cpu          320 1.00x
over the wire, cpu        160 2.00x
in process, cpu           128 2.50x
over the wire, cuda:0   16.0 20.00x

utterances of 1 s, together, ms
                                  8
over the wire, cpu        100 1.00x
in process, cpu          80.0 1.25x
over the wire, cuda:0   10.0 10.00x

seconds of audio per second, for utterances of 1 to 10 s (in process: one at a time)
                        64 in flight
sherpa-onnx, cpu          25.0 1.00x
over the wire, cpu        50.0 2.00x
in process, cpu           62.5 2.50x
over the wire, cuda:0     500 20.00x

the yardstick, a product of two matrices, 2048 x 2048, in f32
                  GFLOP/s
torch.mm, cpu        82.0
                81.0-83.0

share of the matrix product's rate: the network's work in the time of the whole call
                        1 s    3 s
over the wire, cpu     67 %      -
GFLOP of the network   1.10   3.20

the process, its files cached: from start to hello and to ready, ms; memory, MB
                             ready   RSS
sherpa-onnx, cpu        1234 1.00x   150
over the wire, cpu      1234 1.00x   150
in process, cpu         1234 1.00x   150
over the wire, cuda:0   1234 1.00x   150

GPU against CPU, times as fast: one utterance; a batch against one by one
                           1 s      3 s   batch of 8
over the wire, cuda:0   10.00x   10.00x       16.00x
"""


def test_the_tables_are_laid_out(capsys):
    report.show(found())
    text = re.sub(" +\n", "\n", capsys.readouterr().out)
    assert text == EXPECTED


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_shows_every_number_whole(width, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    report.show(found())
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width
    assert any("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 9 in line for line in lines)
    told = set(" ".join(lines).split())
    assert {word for word in EXPECTED.split() if word[0].isdigit()} <= told


def test_the_picture_has_every_contender():
    latency, throughput = report.curves_of(found())
    assert latency["in process, cpu"] == [(1.0, 16.0), (3.0, 48.0)]
    assert throughput["over the wire, cpu"] == [(8, 80.0)]
    assert throughput["sherpa-onnx, cpu"] == [(8, 25.0)]  # it takes them one by one
    assert set(throughput) == set(latency)


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / "out.svg"
    report.draw(found(), path)
    assert "<svg" in path.read_text("utf-8")
    with pytest.raises(Refusal, match="nope"):
        report.draw(found(), tmp_path / "out.nope")
