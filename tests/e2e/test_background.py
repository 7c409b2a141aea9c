"""``--background``: every thread of the real child steps back, and every process that it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.linux("threads have priorities")

USUAL = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
BEHIND = max(10, USUAL)


def niceness_of_threads(pid):
    """By the name of each; the 19th field of ``stat``, whose second one is the name in brackets."""
    found = {}
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        text = stat.read_text()
        name = text[text.index("(") + 1 : text.rindex(")")]
        found[f"{name} {stat.parent.name}"] = int(text.rpartition(")")[2].split()[16])
    return found


@pytest.mark.parametrize(("options", "expected"), [(["--background"], BEHIND), ([], USUAL)])
def test_all_threads_of_the_real_sidecar(start, sidecar_argv, options, expected):
    host = start([*sidecar_argv, "--threads", "2", *options])
    host.wait_for_state("ready")
    host.call("embed", {"audio": silence(3)})
    found = niceness_of_threads(host.process.pid)
    assert len(found) > 6, "the reader, the writer, two decoders, the device, the log"
    assert set(found.values()) == {expected}, found


def test_what_it_starts_inherits_it(start_light):
    host = start_light("--background", LIGHT_NOISE="niceness")
    host.wait_for_log(f"a grandchild's niceness is {BEHIND}")


def silence(seconds):
    return {
        "pcm": bytes(4 * round(16_000 * seconds)),
        "encoding": "f32le",
        "sample_rate_hz": 16_000,
        "channels": 1,
    }
