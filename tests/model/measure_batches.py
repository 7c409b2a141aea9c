"""Prints what batches cost on the CPU: ``python tests/model/measure_batches.py``.

Two tables for each network: milliseconds of processor time for an utterance, in batches of equals;
and how much longer a batch of equals takes when it is masked as one of different lengths would be.
On one thread, medians of 5 rounds (``ROUNDS``) in which all take turns; CAM++ with random weights,
since its time does not depend on them.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sidecar.networks import campplus, ecapa

N_ROUNDS = int(os.environ.get("ROUNDS", "5"))
SAMPLE_RATE_HZ = 16_000
DURATIONS_S = (0.5, 1, 2, 3, 5)
BATCH_SIZES = (1, 2, 4, 8)
MASKED = ((8, 3), (4, 10))


def batch_of(n, duration_s):
    return 0.1 * torch.randn(n, round(duration_s * SAMPLE_RATE_HZ))


def median_ms(calls):
    """Of each call, the median processor time; the first round warms up."""
    times = [[] for _ in calls]
    for _ in range(1 + N_ROUNDS):
        for call, taken in zip(calls, times, strict=True):
            started_at = time.process_time()
            call()
            taken.append(1000 * (time.process_time() - started_at))
    return [statistics.median(taken[1:]) for taken in times]


@torch.inference_mode()
def main():
    torch.set_num_threads(1)
    for name, model in (("ECAPA-TDNN", ecapa.EcapaTdnn()), ("CAM++", campplus.CamPlusPlus())):
        model.eval()
        print(f"{name}, ms of processor time for each utterance, in batches of {BATCH_SIZES}")
        for duration_s in DURATIONS_S:
            batches = [batch_of(n, duration_s) for n in BATCH_SIZES]
            taken = median_ms([functools.partial(model, batch) for batch in batches])
            each = (f"{ms / n:7.1f}" for ms, n in zip(taken, BATCH_SIZES, strict=True))
            print(f"  {duration_s:>4} s {''.join(each)}", flush=True)
        for n, duration_s in MASKED:
            batch = batch_of(n, duration_s)
            lengths = torch.full((n,), batch.shape[1])
            plain, masked = median_ms(
                [
                    functools.partial(model, batch),
                    functools.partial(model, batch, lengths),
                ]
            )
            print(f"  {n} x {duration_s} s, masked over plain: {masked / plain:.3f}", flush=True)


if __name__ == "__main__":
    main()
