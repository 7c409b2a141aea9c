"""Random mutations of valid frames against the real server, in process.

``FUZZ_MUTATIONS`` and ``FUZZ_SEED`` choose how many and which; a failure names its own seed.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import Counter

from light_detector import open_light_detector
from light_segmenter import open_light_segmenter
from light_sidecar import LightEngine
from mutations import check, expect, mutate, number_from, valid_frames, wav

from protocol.framing import FrameDecoder
from protocol.messages import decode_from_child
from sidecar.config import Config
from sidecar.requests.server import Server
from sidecar.wire.streams import Streams

N_MUTATIONS = number_from("FUZZ_MUTATIONS", 1000)
SEED = number_from("FUZZ_SEED", 20_261)
END_WITHIN_S = 2.0


def serve(stream):
    """What one server says to ``stream``, its exit code, and the seconds that it took."""
    child_in, host_in = os.pipe()
    host_out, child_out = os.pipe()
    said = bytearray()
    streams = Streams(child_in, child_out)
    server = Server(
        Config(), streams, LightEngine(Config()), open_light_detector, open_light_segmenter
    )
    exit_codes = []

    def write():
        with os.fdopen(host_in, "wb") as pipe:
            pipe.write(stream)

    def read():
        while data := os.read(host_out, 2**16):
            said.extend(data)

    def run():
        exit_codes.append(server.run())

    threads = [threading.Thread(target=target, daemon=True) for target in (write, read, run)]
    began_at = time.perf_counter()
    for thread in threads:
        thread.start()
    threads[2].join(30)
    took_s = time.perf_counter() - began_at
    assert exit_codes, "the server does not end"
    # What a process's end would close.
    server._writer.join(30)
    os.close(child_out)
    threads[1].join(30)
    server._reader.join(30)
    os.close(child_in)
    threads[0].join(30)
    os.close(host_out)
    decoder = FrameDecoder()
    messages = [decode_from_child(payload) for payload in decoder.feed(bytes(said))]
    assert decoder.pending_bytes == 0, "the output ends inside a frame"
    return messages, exit_codes[0], took_s


def test_mutated_streams(monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    monkeypatch.setenv("LIGHT_EMBED_S", "0")
    path = tmp_path / "audio.wav"
    path.write_bytes(wav(0.1))
    print(f"{N_MUTATIONS} mutations from seed {SEED}")
    exits, n_answers, slowest_s = Counter(), 0, 0.0
    for seed in range(SEED, SEED + N_MUTATIONS):
        rng = random.Random(seed)
        stream, names = mutate(rng, valid_frames(rng, str(path)))
        try:
            expected = expect(stream)
            messages, exit_code, took_s = serve(stream)
            check(expected, messages, exit_code)
            assert took_s < END_WITHIN_S
        except Exception as error:
            raise AssertionError(f"FUZZ_SEED={seed} FUZZ_MUTATIONS=1: {names}") from error
        exits[exit_code] += 1
        n_answers += len(expected.ids)
        slowest_s = max(slowest_s, took_s)
    print(f"exit codes {dict(exits)}; {n_answers} answers owed; slowest end {slowest_s:.2f} s")
    if N_MUTATIONS >= 100:
        assert set(exits) == {0, 76}
        assert n_answers > N_MUTATIONS
