"""Prints what the service costs: ``python tests/e2e/measure_throughput.py [options of serve]``.

The same utterances, 1 to 10 s of noise, once through the service, with 1, 8 and 64 in flight, and
once through the encoder, called in a loop in a process of its own. They take turns, for 5 rounds
(``ROUNDS``), on 2 threads unless ``--threads`` says otherwise; what is printed are medians, and the
service's throughput as a share of the loop's. Say what is compared: the service decodes and answers
beside the device's work, the loop has its waveforms ready.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.params import EmbedParams, MetricsParams, PcmAudio
from protocol.python import SpeakerSidecar
from sidecar.tools.program import sidecar_argv

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_RATE_HZ = 16_000
N_UTTERANCES = 64
IN_FLIGHT = (1, 8, 64)
PAUSE_S = 0.5


def utterances():
    random = np.random.default_rng(0)
    lengths = random.uniform(1, 10, N_UTTERANCES) * SAMPLE_RATE_HZ
    return [random.normal(0, 0.1, round(n_samples)).astype("<f4") for n_samples in lengths]


class Service:
    """The utterances through a sidecar, so many in flight."""

    def __init__(self, options, n_in_flight):
        argv = [*sidecar_argv(), "serve", *options]
        self._client = SpeakerSidecar.start(argv, stderr=subprocess.DEVNULL, cwd=ROOT)
        self._client.wait_until_ready()
        self._requests = [
            EmbedParams(PcmAudio(samples.tobytes(), "f32le", SAMPLE_RATE_HZ, 1))
            for samples in utterances()
        ]
        self._n_in_flight = n_in_flight

    def run(self):
        """Seconds for all of them."""
        futures = deque()
        began_at = time.perf_counter()
        for request in self._requests:
            if len(futures) == self._n_in_flight:
                futures.popleft().result(600)
            futures.append(self._client.send(request)[1])
        while futures:
            futures.popleft().result(600)
        return time.perf_counter() - began_at

    def close(self):
        sizes = self._client.call(MetricsParams())["batch_sizes"]
        self._client.close()
        return f"batch sizes {sizes}"


class Loop:
    """The utterances through an encoder in another process, one by one."""

    def __init__(self, options):
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--loop", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def run(self):
        """Seconds for all of them."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        return "one by one"


def loop(options):
    """What the process of ``Loop`` runs."""
    from sidecar.__main__ import _build_parser, _read_config
    from sidecar.audio.waveform import Waveform
    from sidecar.engine.speech_engine import SpeechEngine

    backend = SpeechEngine(_read_config(_build_parser().parse_args(["serve", *options])))
    backend.import_libraries()
    encoder = backend.open(lambda _: None, lambda: False)
    waveforms = [Waveform(samples) for samples in utterances()]
    print("ready", flush=True)
    for _ in sys.stdin:
        began_at = time.perf_counter()
        for waveform in waveforms:
            encoder.embed([waveform])
        print(time.perf_counter() - began_at, flush=True)


def main():
    options = sys.argv[1:]
    if options[:1] == ["--loop"]:
        loop(options[1:])
        return
    if "--threads" not in options:
        options += ["--threads", "2"]
    audio_s = sum(map(len, utterances())) / SAMPLE_RATE_HZ
    print(f"{N_UTTERANCES} utterances, {audio_s:.0f} s; load {os.getloadavg()[0]:.2f}")
    contenders = {"loop": Loop(options)}
    contenders |= {f"{n} in flight": Service(options, n) for n in IN_FLIGHT}
    times_s = {name: [] for name in contenders}
    for contender in contenders.values():
        contender.run()  # each sees every length once before
    for _ in range(int(os.environ.get("ROUNDS", "5"))):
        for name, contender in contenders.items():
            time.sleep(PAUSE_S)
            times_s[name].append(contender.run())
    for name, contender in contenders.items():
        ratios = [a / b for a, b in zip(times_s["loop"], times_s[name], strict=True)]
        print(
            f"{name:12} median {statistics.median(times_s[name]):6.2f} s "
            f"({min(times_s[name]):.2f} to {max(times_s[name]):.2f}), "
            f"{audio_s / statistics.median(times_s[name]):5.1f} times real time, "
            f"{100 * statistics.median(ratios):5.1f} % of the loop; {contender.close()}"
        )
    print(f"load {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
