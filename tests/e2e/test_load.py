"""Thousands of mixed requests, 64 in flight: each answered once, and as if it had been alone.

``LOAD_REQUESTS`` and ``LOAD_SEED`` choose how many and which; ``LOAD_REAL_REQUESTS`` how many the
real model gets. What memory may grow by is a share of the whole process, so the number decides what
that finds: with 20,000 requests a leak of a few KB each, with 2,000 one of an audio each.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import time
from collections import Counter

import numpy as np
import pytest
from load_mix import HOP_S, RATES_HZ, WINDOW_S, Mix, fill_stock
from mutations import number_from
from raw_host import ROOT, assert_result

from protocol.messages import Failure, Notice

N_REQUESTS = number_from("LOAD_REQUESTS", 2000)
N_REAL_REQUESTS = number_from("LOAD_REAL_REQUESTS", 1500)
SEED = number_from("LOAD_SEED", 1)
N_IN_FLIGHT = 64
N_BEFORE_RSS = 1000
MAX_RSS_GROWTH = 0.10
MIN_COSINE, MAX_DIFFERENCE = 0.999999, 1e-5
# Of durations in seconds: what is short comes often.
SMALL_DURATIONS_S, REAL_DURATIONS_S = (0.15, 4.0), (0.15, 1.5)


def test_mixed_load_on_a_small_network(start, tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    argv = [sys.executable, str(ROOT / "tests" / "small_sidecar.py")]
    argv += ["--model", str(tmp_path), "--models-dir", str(tmp_path), "--threads", "1"]
    host = start(argv, environment={"SMALL_BATCH": "16"})
    voices = noises(durations(60, *SMALL_DURATIONS_S))
    load = Load(host, fill_stock(voices, tmp_path))
    load.run(N_REQUESTS)
    metrics = load.finish()
    sizes = {int(size): n for size, n in metrics["batch_sizes"].items()}
    assert max(sizes) > 1, "no two utterances ran together"
    assert metrics["padding_share"] > 0, "no batch had utterances of two lengths"


def test_mixed_load_on_the_real_model(start, sidecar_argv, tmp_path):
    host = start(sidecar_argv)
    lengths_s = durations(45, *REAL_DURATIONS_S)
    load = Load(host, fill_stock(speech(lengths_s) or noises(lengths_s), tmp_path))
    load.run(N_REAL_REQUESTS)
    load.finish()


def durations(n_audios, shortest_s, longest_s):
    """Lengths in seconds, some of them fit for windows."""
    rng = random.Random(SEED)
    drawn = [shortest_s * (longest_s / shortest_s) ** rng.random() for _ in range(n_audios)]
    # At 16 kHz, as f32 and as s16: see ``fill_stock``.
    for n in range(n_audios):
        if n % 5 < 2 and n // 5 % 3 == RATES_HZ.index(16_000):
            drawn[n] = WINDOW_S + HOP_S * (n % 4)
    return drawn


def noises(lengths_s):
    rng = np.random.default_rng(SEED)
    return [
        rng.normal(0, rng.uniform(0.01, 0.2), round(length_s * 16_000)).clip(-1, 1)
        for length_s in lengths_s
    ]


def speech(lengths_s):
    """Pieces of real speech, each of another utterance; None where there is none."""
    import soundfile

    paths = sorted((ROOT.parent / "shared" / "audio" / "librispeech").rglob("*.flac"))
    if len(paths) < len(lengths_s):
        return None
    pieces = []
    for path, length_s in zip(paths, lengths_s, strict=False):
        samples, rate_hz = soundfile.read(path)
        middle = len(samples) // 2
        pieces.append(samples[middle : middle + round(length_s * rate_hz)])
    return pieces


def came_out_as(answer):
    """As the child's metrics count it: a batch of which nothing was embedded, as its first item."""
    if isinstance(answer, Failure):
        return answer.data["kind"]
    entries = answer.result.get("results", [{"result": answer.result}])
    embedded = any("result" in entry for entry in entries)
    return "ok" if embedded else entries[0]["error"]["data"]["kind"]


class Load:
    """A host that has 64 requests in flight, and judges each answer as it comes."""

    def __init__(self, host, stock):
        self._host = host
        self._stock = stock
        self._rng = random.Random(SEED)
        self._cases = {}  # in flight, by id
        self._n_anonymous = 0
        self._cancelled = set()
        self._n_read = 0
        self._n_open = 0
        self._outcomes = Counter()
        self._late = Counter()
        self._largest_difference, self._lowest_cosine = 0.0, 1.0
        host.wait_for_state("ready", "degraded")
        self._alone = {}
        self._fingerprint = None
        for name, audio in stock.audios.items():
            self._alone[name] = self._embed_alone(audio)
            for start_s, end_s in stock.windows.get(name, ()):
                part = {**audio, "start_s": start_s, "end_s": end_s}
                self._alone[name, (start_s, end_s)] = self._embed_alone(part)
        self._mix = Mix(self._rng, stock, self._stored)

    def _embed_alone(self, audio):
        """The embedding, not normalised, with nothing else in flight."""
        answer = self._host.call("embed", {"audio": audio, "normalize": False})
        self._n_read = len(self._host.messages)
        self._outcomes["ok"] += 1
        result = assert_result(answer, "embedding")
        assert result["batch_size"] == 1
        self._stored = {name: result[name] for name in ("embedding", "fingerprint")}
        return vectors(result["embedding"])[0]

    def run(self, n_requests):
        """Send so many, and wait until all are answered."""
        print(f"LOAD_SEED={SEED}: {n_requests} requests, {len(self._alone)} audios known alone")
        n_before_rss = min(N_BEFORE_RSS, n_requests // 2)
        began_at = time.perf_counter()
        for request_id in range(n_requests):
            if request_id in {n_before_rss, *range(n_requests // 8, n_requests, n_requests // 8)}:
                self._wait_for_answers(0)
                rss_bytes = self._metrics()["rss_bytes"]
                print(f"{rss_bytes / 2**20:.0f} MiB after {request_id} requests", flush=True)
                if request_id == n_before_rss:
                    self._rss_bytes = rss_bytes
            self._wait_for_answers(N_IN_FLIGHT - 1)
            self._send(self._mix.draw(request_id))
        self._wait_for_answers(0)
        self._took_s = time.perf_counter() - began_at

    def _send(self, case):
        assert case.id not in self._cases
        self._n_open += 1
        if case.is_anonymous:
            self._n_anonymous += 1
        else:
            self._cases[case.id] = case
        if case.outcome == "duplicate_id":
            self._n_open += 1
        self._host.send(case.frames)
        if self._rng.random() < 0.05:
            # Mostly one in flight, sometimes one that was answered long ago.
            cancelled = self._rng.randrange(max(0, case.id - N_IN_FLIGHT), case.id + 1)
            self._cancelled.add(cancelled)
            self._host.cancel(cancelled)

    def _wait_for_answers(self, n_open):
        def has_room():
            messages = self._host.messages
            while self._n_read < len(messages):
                message = messages[self._n_read]
                self._n_read += 1
                if not isinstance(message, Notice):
                    self._judge(message)
            return self._n_open <= n_open

        self._host.wait_until(has_room, "answers are missing")

    def _judge(self, answer):
        """Raise AssertionError unless ``answer`` is one that is owed, and what it must be."""
        self._n_open -= 1
        outcome = answer.data["kind"] if isinstance(answer, Failure) else "ok"
        self._outcomes[came_out_as(answer)] += 1
        if answer.id is None:
            assert outcome in {"bad_id", "duplicate_id"}, answer
            self._n_anonymous -= outcome == "bad_id"
            if outcome == "duplicate_id":
                self._judge_duplicate(answer.data["request_id"])
            return
        case = self._cases[answer.id]
        if case.outcome == "duplicate_id":
            self._judge_duplicate(answer.id)
            return
        del self._cases[answer.id]
        if outcome == "cancelled":
            assert case.id in self._cancelled, answer
        elif outcome == "deadline_exceeded":
            assert case.has_deadline, answer
        else:
            assert outcome == case.outcome, f"{case!r:.300} came out as {answer!r:.300}"
            if outcome == "ok":
                self._check_result(case, answer.result)

    def _judge_duplicate(self, request_id):
        """The first or the second answer to what was sent twice."""
        if request_id in self._late:
            del self._late[request_id], self._cases[request_id]
        else:
            self._late[request_id] = 1
            assert request_id in self._cases

    def _check_result(self, case, result):
        if case.method == "score":
            self._check_score(case, result["cosine"])
        elif case.method == "embed":
            self._check_vector(vectors(result["embedding"])[0], case.audios[0], result)
        elif case.method in {"embed_batch", "embed_segments"}:
            assert len(result["results"]) == len(case.audios)
            for name, entry in zip(case.audios, result["results"], strict=True):
                self._check_entry(case, name, entry)
        elif case.method == "embed_windows":
            assert result["starts_s"] == [start_s for _, (start_s, _) in case.audios]
            found = vectors(result["embeddings"])
            for vector, window in zip(found, case.audios, strict=True):
                self._check_vector(vector, window, result)

    def _check_entry(self, case, name, entry):
        if "result" in entry:
            assert name is not None
            self._check_vector(vectors(entry["result"]["embedding"])[0], name, entry["result"])
            return
        kind = entry["error"]["data"]["kind"]
        may_be = {"unsupported_format", "bad_crop"} if name is None else set()
        may_be |= {"cancelled"} if case.id in self._cancelled else set()
        may_be |= {"deadline_exceeded"} if case.has_deadline else set()
        assert kind in may_be, entry

    def _check_vector(self, found, name, result):
        alone = self._alone[name]
        length = np.linalg.norm(alone)
        wanted = alone / length if result["normalized"] else alone
        difference = np.abs(found - wanted).max() / np.linalg.norm(wanted)
        cosine = found @ wanted / (np.linalg.norm(found) * np.linalg.norm(wanted))
        self._largest_difference = max(self._largest_difference, difference)
        self._lowest_cosine = min(self._lowest_cosine, cosine)
        assert difference <= MAX_DIFFERENCE, f"{name}: {difference}"
        assert cosine >= MIN_COSINE, f"{name}: {cosine}"

    def _check_score(self, case, cosine):
        if case.audios:
            a, b = (self._alone[name] for name in case.audios)
            wanted = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        else:
            wanted = 1.0
        assert cosine == pytest.approx(wanted, abs=MAX_DIFFERENCE)

    def _metrics(self):
        """What it says of itself while nothing is in flight."""
        request_id = self._host.request("metrics")
        result = assert_result(self._host.answer(request_id))
        self._n_read = len(self._host.messages)
        assert dict(self._outcomes) == result["outcomes"]
        self._outcomes["ok"] += 1
        assert result["in_flight"] == result["queued"] == result["queued_bytes"] == 0
        return result

    def finish(self):
        """End it; the last metrics."""
        metrics = self._metrics()
        assert not self._cases
        assert self._n_anonymous == 0
        growth = metrics["rss_bytes"] / self._rss_bytes - 1
        print(
            f"{self._outcomes.total()} answers in {self._took_s:.1f} s: {dict(self._outcomes)}\n"
            f"largest difference {self._largest_difference:.1e} of the norm, lowest cosine "
            f"{self._lowest_cosine:.9f}\nbatch sizes {metrics['batch_sizes']}, "
            f"{100 * metrics['padding_share']:.1f} % padding\n"
            f"memory {self._rss_bytes / 2**20:.0f} MiB after the first requests, "
            f"{metrics['rss_bytes'] / 2**20:.0f} MiB at the end ({100 * growth:+.1f} %)"
        )
        assert growth < MAX_RSS_GROWTH
        assert {"cancelled", "deadline_exceeded", "duplicate_id"} <= set(self._outcomes)
        assert self._host.finish() == 0
        return metrics


def vectors(packed):
    """Embeddings as the wire has them, float64, shape (n, 192)."""
    return np.frombuffer(packed, "<f4").reshape(-1, 192).astype(np.float64)
