"""Random mutations of valid frames against real processes, each ended at once, as it loads.

``FUZZ_PROCESSES`` and ``FUZZ_SEED`` choose how many and which; a failure names its own seed.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter

from mutations import check, expect, mutate, number_from, valid_frames, wav
from raw_host import RawHost

N_PROCESSES = number_from("FUZZ_PROCESSES", 20)
SEED = number_from("FUZZ_SEED", 7)
END_WITHIN_S = 2.0


def test_mutated_streams(sidecar_argv, tmp_path):
    path = tmp_path / "audio.wav"
    path.write_bytes(wav(0.1))
    print(f"{N_PROCESSES} mutations from seed {SEED}")
    exits, n_answers, slowest_s = Counter(), 0, 0.0
    for seed in range(SEED, SEED + N_PROCESSES):
        rng = random.Random(seed)
        stream, names = mutate(rng, valid_frames(rng, os.fspath(path)))
        expected = expect(stream)
        with RawHost(sidecar_argv) as host:
            # Its own start is not what is timed.
            host.wait_for_hello()
            began_at = time.perf_counter()
            host.send(stream)
            try:
                exit_code = host.finish()
                took_s = time.perf_counter() - began_at
                check(expected, host.messages, exit_code)
                assert took_s < END_WITHIN_S
            except Exception as error:
                raise AssertionError(f"FUZZ_SEED={seed} FUZZ_PROCESSES=1: {names}") from error
        exits[exit_code] += 1
        n_answers += len(expected.ids)
        slowest_s = max(slowest_s, took_s)
    print(f"exit codes {dict(exits)}; {n_answers} answers owed; slowest end {slowest_s:.2f} s")
    if N_PROCESSES >= 20:
        assert set(exits) == {0, 76}
        assert n_answers > N_PROCESSES
