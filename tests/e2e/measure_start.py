"""Prints how long a start takes: ``python tests/e2e/measure_start.py [options of serve]``.

Medians of 10 starts, from the spawn to hello and to ready; ``SIDECAR_ARGV`` may name the program.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.framing import FrameDecoder
from protocol.messages import decode_from_child
from sidecar.tools.program import sidecar_argv

ROOT = Path(__file__).resolve().parents[2]
N_STARTS = 10


def measure(argv):
    """Seconds from the spawn to hello and to ready."""
    began_at = time.perf_counter()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as child:
        decoder, hello_s = FrameDecoder(), None
        while data := os.read(child.stdout.fileno(), 2**16):
            now_s = time.perf_counter() - began_at
            for payload in decoder.feed(data):
                notice = decode_from_child(payload)
                if notice.method == "hello":
                    hello_s = now_s
                elif notice.params.get("state") in {"ready", "degraded"}:
                    child.stdin.close()
                    child.wait()
                    return hello_s, now_s
    raise SystemExit(f"the sidecar did not start: exit code {child.returncode}")


def main():
    argv = [*sidecar_argv(), "serve", *sys.argv[1:]]
    measure(argv)  # the first start reads from a cold disk
    times = [measure(argv) for _ in range(N_STARTS)]
    for name, values in zip(("hello", "ready"), zip(*times, strict=True), strict=True):
        values_ms = sorted(1000 * value for value in values)
        print(
            f"{name}: median {statistics.median(values_ms):.0f} ms of {N_STARTS} "
            f"({values_ms[0]:.0f} to {values_ms[-1]:.0f})"
        )


if __name__ == "__main__":
    main()
