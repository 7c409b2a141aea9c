"""Prints how fast a busy child answers: ``python tests/e2e/measure_control.py [options of serve]``.

On 1 and on 2 threads the device computes 100 s of audio again and again; meanwhile 200 each of what
needs no device are sent, one after the other: ``health``, ``metrics``, a ``cancel`` of what waits,
audio that is refused. Then as many processes as ``SHUTDOWNS`` says (10) are told to shut down in
the middle of such an audio. ``SIDECAR_ARGV`` may name the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.params import (
    EmbedParams,
    FileAudio,
    HealthParams,
    MetricsParams,
    PcmAudio,
    ShutdownParams,
)
from protocol.python import RemoteError, SpeakerSidecar
from sidecar.tools.program import sidecar_argv

ROOT = Path(__file__).resolve().parents[2]
N_PINGS = 200
PAUSE_S = 0.01
SAMPLE_RATE_HZ = 16_000


class Busy:
    """A sidecar whose device computes long audio; there is always one more that waits."""

    def __init__(self, n_threads):
        argv = [*sidecar_argv(), "serve", *sys.argv[1:], "--threads", str(n_threads)]
        self.client = SpeakerSidecar.start(argv, stderr=subprocess.DEVNULL, cwd=ROOT)
        self.client.wait_until_ready()
        noise = np.random.default_rng(0).normal(0, 0.1, 100 * SAMPLE_RATE_HZ).astype("<f4")
        self._long = EmbedParams(PcmAudio(noise.tobytes(), "f32le", SAMPLE_RATE_HZ, 1))
        self._short = EmbedParams(PcmAudio(noise[:8000].tobytes(), "f32le", SAMPLE_RATE_HZ, 1))
        self._futures = []
        self.keep_busy()
        while self.client.call(HealthParams())["activity"]["queued"] > 1:
            time.sleep(PAUSE_S)

    def keep_busy(self):
        self._futures = [future for future in self._futures if not future.done()]
        while len(self._futures) < 2:
            self._futures.append(self.client.send(self._long)[1])

    def health(self):
        return self.time(lambda: self.client.call(HealthParams()))

    def metrics(self):
        return self.time(lambda: self.client.call(MetricsParams()))

    def cancel(self):
        """From the cancel to the answer of what waited behind the long audio."""
        request_id, future = self.client.send(self._short)
        time.sleep(PAUSE_S)
        return self.time(lambda: self.client.cancel(request_id), future)

    def refusal(self):
        """From an audio that is none to its error: it passes a decoder."""
        return self.time(lambda: self.client.call(EmbedParams(FileAudio(b"no audio"))))

    def shutdown(self):
        """To the shutdown's own answer, with no time for what runs."""
        return self.time(lambda: self.client.call(ShutdownParams(drain_ms=0)))

    def time(self, ask, future=None):
        """Milliseconds until ``ask``, or ``future``, has an answer."""
        began_at = time.perf_counter()
        try:
            ask()
            if future is not None:
                future.result(60)
        except RemoteError as error:
            assert error.failure.data["kind"] in {"cancelled", "unsupported_format"}  # noqa: PT017
        return 1000 * (time.perf_counter() - began_at)


def report(name, times_ms):
    ascending = sorted(times_ms)
    median, p99 = (ascending[int(share * (len(ascending) - 1))] for share in (0.5, 0.99))
    print(
        f"  {name:8} median {median:6.2f} ms, p99 {p99:6.2f} ms, largest {ascending[-1]:6.2f} ms "
        f"of {len(ascending)}",
        flush=True,
    )


def main():
    for n_threads in (1, 2):
        print(f"{n_threads} threads, load {os.getloadavg()[0]:.2f}")
        busy = Busy(n_threads)
        for ping in (busy.health, busy.metrics, busy.cancel, busy.refusal):
            times_ms = []
            for _ in range(N_PINGS):
                busy.keep_busy()
                times_ms.append(ping())
                time.sleep(PAUSE_S)
            report(ping.__name__, times_ms)
        times_ms = [busy.shutdown()]
        busy.client.close()
        for _ in range(int(os.environ.get("SHUTDOWNS", "10")) - 1):
            busy = Busy(n_threads)
            times_ms.append(busy.shutdown())
            busy.client.close()
        report("shutdown", times_ms)


if __name__ == "__main__":
    main()
