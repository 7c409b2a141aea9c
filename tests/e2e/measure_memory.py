"""Prints how memory grows: ``python tests/e2e/measure_memory.py [options of serve]``.

1,500 requests one after the other, 0.5 to 10 s of noise, mostly short, no two of the same length;
the resident memory every 100. ``SIDECAR_ARGV`` may name the program, ``MEMORY_REQUESTS`` another
number of requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.params import EmbedParams, HealthParams, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.program import sidecar_argv

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_RATE_HZ = 16_000
N_BETWEEN_SAMPLES = 100
SHORTEST_S, LONGEST_S = 0.5, 10.0


def new_lengths(n_lengths, random):
    """Numbers of samples, no two alike; half of them are below about a second."""
    lengths = {}
    while len(lengths) < n_lengths:
        share = random.uniform() ** 2
        duration_s = SHORTEST_S * (LONGEST_S / SHORTEST_S) ** share
        lengths[round(duration_s * SAMPLE_RATE_HZ)] = None
    return list(lengths)


def main():
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, round(LONGEST_S * SAMPLE_RATE_HZ)).astype("<f4")
    lengths = new_lengths(int(os.environ.get("MEMORY_REQUESTS", "1500")), random)
    argv = [*sidecar_argv(), "serve", *sys.argv[1:]]
    with SpeakerSidecar.start(argv, stderr=subprocess.DEVNULL, cwd=ROOT) as client:
        client.wait_until_ready()
        began_at = time.perf_counter()
        for n_before, n_samples in enumerate(lengths):
            if n_before % N_BETWEEN_SAMPLES == 0:
                print(f"{n_before:6} requests: {resident_mib(client):5.0f} MiB", flush=True)
            audio = PcmAudio(noise[:n_samples].tobytes(), "f32le", SAMPLE_RATE_HZ, 1)
            client.call(EmbedParams(audio))
        taken_s = time.perf_counter() - began_at
        print(f"{len(lengths):6} requests: {resident_mib(client):5.0f} MiB")
    audio_s = sum(lengths) / SAMPLE_RATE_HZ
    print(f"{audio_s:.0f} s of audio in {taken_s:.0f} s, {audio_s / taken_s:.1f} times real time")


def resident_mib(client):
    return client.call(HealthParams())["process"]["rss_bytes"] / 2**20


if __name__ == "__main__":
    main()
