"""Prints what Ray costs a corpus: ``python tests/e2e/measure_corpus.py LIBRISPEECH``.

LIBRISPEECH is a folder of FLAC files. Of their speech it cuts 970 utterances of 2 to 8 s, puts 30
bad files among them, and lets ``corpus embed`` do all of them, with an actor for each core. Every
eight seconds all of Ray is stopped, and as many processes as there are cores go on with the same
utterances in a loop for eight seconds, so that what else the machine does, or how fast it is, is
the same for all:

- ``encoder``: the bare encoder, one by one, on the speech of each, which lies in memory, decoded;
- ``parts``: decoding, listening and embedding, by the actor's own parts.

What is printed are utterances of the mean length a second by the clock, from the first block's
start to the last one's end without the stops, medians of the rounds, and Ray's as a share of either
loop. Then what came of each: the least cosine with what a sidecar answers for the same file, and
what is among the failures.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import selectors
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile as sf

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protocol.python import SpeakerSidecar
from sidecar.audio.waveform import Waveform
from sidecar.config import Config
from sidecar.corpus.embedder import Embedder
from sidecar.corpus.utterances import Listed
from sidecar.hardware.cpu import cpu, n_cores

MODEL = "campplus-zh-en"
SHORTEST_S, LONGEST_S = 2.0, 8.0
BAD = (b"", b"RIFF" + bytes(range(256)) * 20, b"no audio\n", b"fLaC" + bytes(300))
N_CORES = n_cores()
# So long Ray runs between two stops, and a loop meanwhile.
TURN_S = 8.0
# What a loop does at a time: the bare encoder takes one, and the parts some, as a block has.
AT_ONCE = {"encoder": 1, "parts": 8}


def make_archive(librispeech, folder, n_good, n_bad):
    """Utterances and, spread among them, bad files; how many seconds the utterances last."""
    recordings = [sf.read(path, dtype="int16") for path in sorted(librispeech.rglob("*.flac"))]
    random = np.random.default_rng(0)
    total_s = 0.0
    for n in range(n_good):
        samples, rate_hz = recordings[n % len(recordings)]
        n_samples = min(len(samples), round(random.uniform(SHORTEST_S, LONGEST_S) * rate_hz))
        start = random.integers(len(samples) - n_samples + 1)
        piece = samples[start : start + n_samples]
        sf.write(folder / f"{n:04}.flac", piece, rate_hz)
        total_s += len(piece) / rate_hz
    for n in range(n_bad):
        (folder / f"{n * n_good // n_bad:04}-bad.flac").write_bytes(BAD[n % len(BAD)])
    return total_s


def child(archive, *options):
    """A process of this file, which tells a line and is told one."""
    return subprocess.Popen(
        [sys.executable, __file__, str(archive), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def expect(process, word):
    told = process.stdout.readline()
    assert told == f"{word}\n", told


class Loop:
    """A share of the utterances, in a process of its own on each core."""

    def __init__(self, archive, kind):
        self._processes = [
            child(archive, "--loop", kind, "--share", str(n)) for n in range(N_CORES)
        ]
        for process in self._processes:
            expect(process, "ready")
        self.begin()

    def begin(self):
        """Count turns anew."""
        self._audio_s, self._passed_s = np.zeros((2, N_CORES))

    def take_turn(self):
        """Go on for the time of a turn, all processes at once, and count it."""
        for process in self._processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.stdout.readline().split() for process in self._processes]
        audio_s, passed_s = np.array(told, float).T
        self._audio_s += audio_s
        self._passed_s += passed_s

    def per_s(self):
        """Seconds of audio a second by the clock, of all turns that count."""
        return float((self._audio_s / self._passed_s).sum())

    def close(self):
        for process in self._processes:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def loop(archive, kind, share):
    """What a process of ``Loop`` runs."""
    embedder = Embedder(Config(model=MODEL, device="cpu", threads=1), "auto")
    paths = sorted(path for path in archive.iterdir() if not path.stem.endswith("bad"))
    rows = [Listed(path.name, str(path)) for path in paths[share::N_CORES]]
    audio_s = [sf.info(row.path).duration for row in rows]
    encoder = embedder._encoder
    waveforms = [] if kind == "parts" else [embedder._hear(row).waveform for row in rows]
    assert all(isinstance(waveform, Waveform) for waveform in waveforms)

    def do(some):
        if kind == "encoder":
            encoder.embed([waveforms[n] for n in some])
        else:
            assert len(list(embedder.embed([rows[n] for n in some]))) == len(some)

    for n in range(len(rows)):  # what is compiled for a length is kept
        do([n])
    order = itertools.cycle(range(len(rows)))
    print("ready", flush=True)
    for _ in sys.stdin:
        done_s, began_at = 0.0, time.perf_counter()
        while (passed_s := time.perf_counter() - began_at) < TURN_S:
            some = list(itertools.islice(order, AT_ONCE[kind]))
            do(some)
            done_s += sum(audio_s[n] for n in some)
        print(done_s, passed_s, flush=True)


def ray_run(archive, out, loops):
    """Seconds by the clock that ``corpus embed`` takes, from its first block on, without stops."""
    run = child(archive, "--ray", str(out))
    expect(run, "begun")
    passed_s, began_at = 0.0, time.perf_counter()
    with selectors.DefaultSelector() as told:
        told.register(run.stdout, selectors.EVENT_READ)
        while not told.select(TURN_S):
            ray = psutil.Process(run.pid)
            stopped = [ray, *ray.children(recursive=True)]
            signal_all(stopped, signal.SIGSTOP)
            passed_s += time.perf_counter() - began_at
            for one in loops:
                one.take_turn()
            signal_all(stopped, signal.SIGCONT)
            began_at = time.perf_counter()
    passed_s += time.perf_counter() - began_at
    expect(run, "done")
    run.communicate()
    for one in loops:  # also where it ended before the first stop
        one.take_turn()
    return passed_s


def signal_all(processes, number):
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def embed_by_ray(archive, out):
    """What the process of ``ray_run`` runs."""
    from sidecar.corpus.joining import set_environment
    from sidecar.corpus.model import installed_fingerprint
    from sidecar.corpus.output import Output
    from sidecar.corpus.sources import read_source
    from sidecar.corpus.work import Work

    set_environment(None)
    from sidecar.corpus import run

    config = Config(model=MODEL, device="cpu")
    work = Work(config, "auto", installed_fingerprint(config, lambda *_: None))
    output = Output(str(out))
    output.take_over("auto", with_failures=False)
    with run.cluster(None):
        tallies = run.embed(read_source(str(archive)), work, output, N_CORES)
        next(tallies)
        print("begun", flush=True)
        for _ in tallies:
            pass
        print("done", flush=True)


def compare(archive, out):
    """Print whether what came of each file is what a sidecar answers."""
    from pyarrow import dataset

    embedded, failed = (
        dataset.dataset(out / name, format="parquet").to_table().to_pylist()
        for name in ("embeddings", "failures")
    )
    bad = {path.name for path in archive.iterdir() if path.stem.endswith("bad")}
    assert {row["id"] for row in failed} == bad
    assert len(embedded) == len({row["id"] for row in embedded})
    assert {row["id"] for row in embedded} == {path.name for path in archive.iterdir()} - bad
    with SpeakerSidecar.start(model=MODEL, stderr=subprocess.DEVNULL) as sidecar:
        sidecar.wait_until_ready()
        cosines = [
            np.dot(row["embedding"], sidecar.embed(row["path"], speech="auto").embedding)
            for row in embedded
        ]
    print(f"{len(embedded)} embedded, least cosine with the sidecar's {min(cosines):.8f}")
    print(f"{len(failed)} failures: the bad ones, and no others")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--utterances", type=int, default=970)
    parser.add_argument("--bad", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=("encoder", "parts"), help=argparse.SUPPRESS)
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ray", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        loop(options.folder, options.loop, options.share)
        return
    if options.ray:
        embed_by_ray(options.folder, options.ray)
        return
    with tempfile.TemporaryDirectory() as name:
        archive, out = Path(name, "archive"), Path(name, "out")
        archive.mkdir()
        n_good, n_bad = options.utterances, options.bad
        total_s = make_archive(options.folder, archive, n_good, n_bad)
        found = cpu()
        print(
            f"{n_good} utterances of {total_s / n_good:.1f} s, {n_bad} bad; {found.cores} cores of"
        )
        print(f"{found.name} ({found.simd}); load {os.getloadavg()[0]:.2f}", flush=True)
        loops = {kind: Loop(archive, kind) for kind in ("encoder", "parts")}
        per_s = {name: [] for name in (*loops, "Ray")}
        for n in range(options.rounds):
            for one in loops.values():
                one.begin()
            passed_s = ray_run(archive, out / str(n), loops.values())
            per_s["Ray"].append(n_good / passed_s)
            for kind, one in loops.items():
                per_s[kind].append(one.per_s() / total_s * n_good)
            print({name: round(rates[-1], 1) for name, rates in per_s.items()}, flush=True)
        for one in loops.values():
            one.close()
        medians = {name: statistics.median(rates) for name, rates in per_s.items()}
        for kind in loops:
            share = statistics.median(
                ray / loop for ray, loop in zip(per_s["Ray"], per_s[kind], strict=True)
            )
            print(f"{kind}: {medians[kind]:.1f} a second; Ray {share:.1%} of it")
        print(f"Ray: {medians['Ray']:.1f} a second; load {os.getloadavg()[0]:.2f}")
        compare(archive, out / "0")


if __name__ == "__main__":
    main()
