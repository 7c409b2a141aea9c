"""Prints what streams cost, and how soon they tell.

``python tests/e2e/measure_streams.py FILE [--streams N] [--seconds S] [--speed X] [--repeat N]
[-- options of serve]``

FILE, as many seconds of it, is pushed into so many streams at once, each beginning at another place
of it, in pieces of 0.1 s, at X times the speed of the clock (0: as fast as they are taken). Beside
them an utterance of 2 s is embedded every half second. What is printed: how long a push takes to be
answered, how long after a turn's beginning was pushed it is told, and with a speaker, how much
waits to be heard, an ``embed``'s milliseconds, the child's processor time for each second of
stream, its memory, and what the close takes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.params import EmbedParams, PcmAudio
from protocol.python import RemoteError, SpeakerSidecar
from protocol.streams import StreamCloseParams, StreamOpenParams, StreamPushParams
from sidecar.tools.program import sidecar_argv

ROOT = Path(__file__).resolve().parents[2]
PIECE_S = 0.1
NAMES = "decoded", "waited", "computed"


class Played:
    """One stream that is pushed, and when each of its turns was told."""

    def __init__(self, client, samples, rate_hz, speed, after_s=0.0):
        self._after_s = after_s
        self._client, self._samples, self._rate_hz, self._speed = client, samples, rate_hz, speed
        self._process, self.before_close = psutil.Process(client.process.pid), 0
        opened = client.call(StreamOpenParams(rate_hz, "f32le"))
        self.name = opened["stream"]
        self.began_at = 0.0
        self.push_ms, self.buffered_s, self.n_refused = [], [], 0
        self.told_ms, self.labelled_ms, self._opened = [], [], {}
        self.close_s, self.result = 0.0, None

    def told(self, turn):
        if not self._speed:
            return
        now = time.perf_counter()
        after_ms = 1000 * (now - self.began_at - turn["start_s"] / self._speed)
        if turn["turn"] not in self._opened:
            self._opened[turn["turn"]] = False
            self.told_ms.append(after_ms)
        if "speaker" in turn and not self._opened[turn["turn"]]:
            self._opened[turn["turn"]] = True
            self.labelled_ms.append(after_ms)

    def play(self):
        size = round(PIECE_S * self._rate_hz)
        time.sleep(self._after_s)
        self.began_at = time.perf_counter()
        for start in range(0, len(self._samples), size):
            if self._speed:
                due = self.began_at + (start + size) / self._rate_hz / self._speed
                time.sleep(max(0.0, due - time.perf_counter()))
            self._push(self._samples[start : start + size].tobytes())
        self.before_close = self._process.memory_info().rss
        began_at = time.perf_counter()
        self.result = self._client.call(StreamCloseParams(self.name), 600)
        self.close_s = time.perf_counter() - began_at

    def _push(self, pcm):
        while True:
            began_at = time.perf_counter()
            try:
                told = self._client.call(StreamPushParams(self.name, pcm))
            except RemoteError as error:
                if error.kind != "overloaded":
                    raise
                self.n_refused += 1
                time.sleep(0.2)
                continue
            self.push_ms.append(1000 * (time.perf_counter() - began_at))
            self.buffered_s.append(told["buffered_s"])
            return


def percentiles(values):
    if not values:
        return "none"
    return " / ".join(f"{np.percentile(values, p):.1f}" for p in (50, 95, 99, 100))


def embed_now_and_then(client, utterance, took_ms, is_over):
    while not is_over.wait(0.5):
        began_at = time.perf_counter()
        timings = client.call(EmbedParams(utterance))["timings"]
        took_ms.append((1000 * (time.perf_counter() - began_at), *timings.values()))


def play_all(client, asked, samples, rate_hz, streams):
    """Plays them; the report's lines about the child."""
    utterance = PcmAudio(samples[: 2 * rate_hz].tobytes(), "f32le", rate_hz, 1)
    Played(client, samples[: 12 * rate_hz], rate_hz, 0).play()  # loads the networks
    process = psutil.Process(client.process.pid)
    embed_ms, is_over = [], threading.Event()
    beside = threading.Thread(
        target=embed_now_and_then, args=(client, utterance, embed_ms, is_over)
    )
    shift = len(samples) // asked.streams
    for number in range(asked.streams):
        part = np.roll(samples, -number * shift)[: round(asked.seconds * rate_hz)]
        # As people do, they begin at different times.
        stream = Played(client, part, rate_hz, asked.speed, number * 0.37)
        streams[stream.name] = stream
    memory = peak = process.memory_info().rss
    cpu_s, began_at = sum(process.cpu_times()[:2]), time.perf_counter()
    players = [threading.Thread(target=stream.play) for stream in streams.values()]
    for thread in (*players, beside):
        thread.start()
    for thread in players:
        while thread.is_alive():
            thread.join(0.5)
            peak = max(peak, process.memory_info().rss)
    took_s = time.perf_counter() - began_at
    is_over.set()
    beside.join()
    before_close = max(stream.before_close for stream in streams.values())
    columns = list(zip(*embed_ms, strict=True))
    played_s = sum(stream.result["duration_s"] for stream in streams.values())
    cpu_s = sum(process.cpu_times()[:2]) - cpu_s
    return (
        f"{asked.streams} streams, {played_s:.0f} s in all, in {took_s:.1f} s; 50/95/99/100 %:",
        f"embed of 2 s beside them           {percentiles(columns[0])} ms",
        *(
            f"  {name:33}{percentiles(column)} ms"
            for name, column in zip(NAMES, columns[1:], strict=True)
        ),
        f"processor time for each second     {cpu_s / played_s:.3f} s",
        f"memory before, at the end, peak     {memory >> 20}, {before_close >> 20}, {peak >> 20}",
    )


def lines_of(every, speed):
    """The report's lines about the streams."""

    def of_all(name):
        return percentiles([value for stream in every for value in getattr(stream, name)])

    yield f"push answered after                {of_all('push_ms')} ms"
    yield f"pushes refused                     {sum(stream.n_refused for stream in every)}"
    yield f"waits to be heard                  {of_all('buffered_s')} s"
    ends = [stream.buffered_s[-1] for stream in every]
    yield f"waits to be heard at the end       {percentiles(ends)} s"
    if speed:
        yield f"a turn is told after its beginning {of_all('told_ms')} ms"
        yield f"its speaker is told after          {of_all('labelled_ms')} ms"
    yield f"close                              {percentiles([s.close_s for s in every])} s"
    yield f"speakers                           {[len(s.result['speakers']) for s in every]}"


def main():
    options, _, serving = " ".join(sys.argv[1:]).partition(" -- ")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--speed", type=float, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    asked = parser.parse_args(options.split())
    samples, rate_hz = soundfile.read(asked.file, dtype="float32", always_2d=True)
    samples = np.tile(samples.mean(axis=1), asked.repeat)
    streams = {}

    def on_notice(notice):
        if notice.method == "stream_turn" and notice.params["stream"] in streams:
            streams[notice.params["stream"]].told(notice.params)

    argv = [*sidecar_argv(), "serve", *serving.split()]
    with SpeakerSidecar.start(
        argv, on_notice=on_notice, stderr=subprocess.DEVNULL, cwd=ROOT
    ) as client:
        client.wait_until_ready()
        head, *costs = play_all(client, asked, samples, rate_hz, streams)
    print(head, *lines_of(list(streams.values()), asked.speed), *costs, sep="\n")


if __name__ == "__main__":
    main()
