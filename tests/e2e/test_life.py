"""What a host meets while a child lives: its queue, its deadlines, its shutdown."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from raw_host import (
    PATIENCE_S,
    assert_each_answered_once,
    assert_error,
    assert_result,
    frame,
    pcm,
    request,
    time_to_end,
)

from protocol.params import (
    EmbedBatchParams,
    EmbedParams,
    EmbedWindowsParams,
    FileAudio,
    HealthParams,
    MetricsParams,
    PathAudio,
    PcmAudio,
    ScoreParams,
)
from protocol.python import RemoteError, SpeakerSidecar


@pytest.fixture
def busy(start_light, gate):
    """A light sidecar whose device is busy with the request "first" until ``gate.touch()``."""
    host = start_light(LIGHT_EMBED_GATE=str(gate))
    host.request("embed", {"audio": pcm()}, "first")
    host.wait_for_log("light: embedding")
    return host


@pytest.fixture
def loading(start_light, gate):
    """A light sidecar that loads until ``gate.touch()``."""
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    host.wait_for_log("light: loading")
    return host


class TestShutdown:
    def test_it_drains_and_answers_last(self, busy, gate):
        ids = ["first", busy.request("embed", {"audio": pcm()}), busy.request("embed_batch", BATCH)]
        bye = busy.request("shutdown", {"drain_ms": 60_000})
        busy.wait_for_state("draining")
        assert not busy.answers
        gate.touch()
        assert busy.wait() == 0
        assert_each_answered_once(busy, [*ids, bye])
        for request_id in ids:
            assert_result(busy.answer(request_id))
        assert busy.messages[-1].id == bye
        assert busy.messages[-1].result == {"finished": 3, "cancelled": 0}

    def test_without_time_to_drain_all_is_cancelled(self, busy):
        second = busy.request("embed", {"audio": pcm()})
        bye = busy.request("shutdown", {"drain_ms": 0})
        assert busy.wait() == 0  # the gate never opens
        assert_each_answered_once(busy, ["first", second, bye])
        assert_error(busy.answer("first"), -32800, "cancelled")
        assert_error(busy.answer(second), -32800, "cancelled")
        assert busy.messages[-1].result == {"finished": 0, "cancelled": 2}

    def test_what_is_not_done_in_time_is_cancelled(self, busy):
        bye = busy.request("shutdown", {"drain_ms": 100})
        assert time_to_end(busy.process) < 5
        assert busy.wait() == 0
        assert_error(busy.answer("first"), -32800, "cancelled")
        assert busy.messages[-1].id == bye

    def test_a_second_one_is_refused(self, busy, gate):
        bye = busy.request("shutdown", {"drain_ms": 60_000})
        again = busy.request("shutdown", {"drain_ms": 0})
        assert_error(busy.answer(again), -32600, "shutting_down")
        gate.touch()
        assert busy.wait() == 0
        assert_each_answered_once(busy, ["first", again, bye])
        assert_result(busy.answer("first"), "embedding")

    def test_its_id_is_in_flight_too(self, busy, gate):
        bye = busy.request("shutdown", {"drain_ms": 60_000})
        busy.request("health", request_id=bye)
        assert busy.answer(None).data["request_id"] == bye
        gate.touch()
        assert busy.wait() == 0
        assert_each_answered_once(busy, ["first", None, bye])

    def test_work_after_it_is_refused_and_reports_are_not(self, busy, gate):
        bye = busy.request("shutdown", {"drain_ms": 60_000})
        late = busy.request("embed", {"audio": pcm()})
        assert_error(busy.answer(late), -32003, "draining", retryable=True)
        # The main thread says so soon after; the refusal does not wait for it.
        busy.wait_for_state("draining")
        health = busy.call("health")
        assert health.result["state"] == "draining"
        gate.touch()
        assert busy.wait() == 0
        assert_each_answered_once(busy, ["first", late, health.id, bye])

    def test_the_end_of_the_input_cuts_the_drain_short(self, busy):
        second = busy.request("embed", {"audio": pcm()})
        bye = busy.request("shutdown", {"drain_ms": 60_000})
        busy.wait_for_state("draining")
        busy.close_input()
        assert time_to_end(busy.process) < 2
        assert busy.wait() == 0
        assert_each_answered_once(busy, ["first", second, bye])
        assert busy.messages[-1].result == {"finished": 0, "cancelled": 2}

    def test_while_loading_it_ends_at_once(self, loading):
        bye = loading.request("shutdown")
        assert time_to_end(loading.process) < 2
        assert loading.wait() == 0
        assert loading.messages[-1].id == bye

    def test_while_loading_what_is_queued_is_still_served(self, loading, gate):
        embed = loading.request("embed", {"audio": pcm()})
        bye = loading.request("shutdown", {"drain_ms": 60_000})
        loading.wait_for_state("draining")
        gate.touch()
        assert loading.wait() == 0
        assert_result(loading.answer(embed), "embedding")
        assert_each_answered_once(loading, [embed, bye])
        assert "ready" not in loading.states

    def test_nothing_follows_its_response(self, start_light, gate):
        """A load that goes on behind it has more to tell, but does not."""
        host = start_light(LIGHT_LOAD_GATE=str(gate))
        host.wait_for_log("light: loading")
        host.send(frame(request("bye", "shutdown", {"drain_ms": 0})) + b"\0\0\0\0")
        assert host.wait() in {0, 76}
        assert host.messages[-1].id == "bye"

    def test_the_real_sidecar_answers_and_ends(self, start, sidecar_argv):
        host = start(sidecar_argv)
        ids = [host.request("embed", {"audio": pcm(0.5)}) for _ in range(3)]
        bye = host.request("shutdown", {"drain_ms": 60_000})
        assert host.wait() == 0
        assert_each_answered_once(host, [*ids, bye])
        for request_id in ids:
            assert_result(host.answer(request_id), "embedding")
        assert host.messages[-1].result == {"finished": 3, "cancelled": 0}


class TestCancel:
    def test_what_is_queued_is_answered_at_once(self, busy):
        queued = busy.request("embed", {"audio": pcm()})
        busy.cancel(queued)
        assert_error(busy.answer(queued), -32800, "cancelled", retryable=False)
        assert not busy.answers_to("first")

    def test_what_runs_may_finish(self, busy, gate):
        busy.cancel("first")
        busy.call("health")  # the cancel has been dealt with
        assert not busy.answers_to("first")
        gate.touch()
        assert_result(busy.answer("first"), "embedding")
        assert busy.finish() == 0

    def test_a_batch_has_a_result_all_the_same(self, busy):
        batch = busy.request("embed_batch", BATCH)
        busy.cancel(batch)
        results = assert_result(busy.answer(batch), "results")["results"]
        assert [entry["error"]["code"] for entry in results] == [-32800] * 3

    def test_while_loading(self, loading):
        queued = loading.request("embed", {"audio": pcm()})
        loading.cancel(queued)
        assert_error(loading.answer(queued), -32800, "cancelled")
        assert loading.states == ["loading"]

    def test_twice_and_after_the_answer(self, busy, gate):
        queued = busy.request("embed", {"audio": pcm()})
        busy.cancel(queued)
        busy.cancel(queued)
        gate.touch()
        assert_result(busy.answer("first"), "embedding")
        busy.cancel("first")
        assert busy.finish() == 0
        assert_each_answered_once(busy, ["first", queued])


class TestDeadline:
    def test_while_queued(self, busy):
        late = busy.request("embed", {"audio": pcm(), "deadline_ms": 30})
        assert_error(busy.answer(late), -32004, "deadline_exceeded")
        assert not busy.answers_to("first")

    def test_while_loading(self, loading):
        late = loading.request("embed", {"audio": pcm(), "deadline_ms": 30})
        assert_error(loading.answer(late), -32004, "deadline_exceeded")
        assert loading.states == ["loading"]

    def test_while_running(self, start_light, gate):
        host = start_light(LIGHT_EMBED_GATE=str(gate))
        host.wait_for_state("ready")
        late = host.request("embed", {"audio": pcm(), "deadline_ms": 300})
        host.wait_for_log("light: embedding")
        assert_error(host.answer(late), -32004, "deadline_exceeded")
        gate.touch()
        assert host.finish() == 0
        assert_each_answered_once(host, [late])

    def test_none_at_all_left_is_never_in_time(self, start_light):
        """However fast the device is: many tries, since it is a race that must not be won."""
        host = start_light(LIGHT_EMBED_S="0")
        host.wait_for_state("ready")
        params = {"audio": pcm(0.05), "deadline_ms": 0}
        for _ in range(200):
            assert_error(host.call("embed", params), -32004, "deadline_exceeded")
        assert host.finish() == 0

    def test_enough_time(self, start_light):
        host = start_light()
        answer = host.call("embed", {"audio": pcm(), "deadline_ms": 60_000})
        assert_result(answer, "embedding")


class TestQueue:
    def test_too_much_is_refused_at_once(self, busy, gate):
        limits = busy.wait_for_hello()["limits"]
        ids = [busy.request("embed", {"audio": pcm(0.05)}) for _ in range(limits["max_in_flight"])]
        refused = busy.answer(ids[-1])
        assert_error(refused, -32001, "overloaded", retryable=True)
        assert refused.data["retry_after_ms"] > 0
        assert len(busy.answers) == 1
        gate.touch()
        for request_id in ids[:-1]:
            assert_result(busy.answer(request_id), "embedding")
        assert_result(busy.call("embed", {"audio": pcm()}), "embedding")

    def test_a_duplicate_id_leaves_the_first_alone(self, busy, gate):
        busy.request("embed", {"audio": pcm()}, "first")
        refused = busy.answer(None)
        assert_error(refused, -32600, "duplicate_id")
        assert refused.data["request_id"] == "first"
        gate.touch()
        assert_result(busy.answer("first"), "embedding")
        assert busy.finish() == 0
        assert_each_answered_once(busy, ["first", None])

    def test_an_id_may_come_again_after_its_answer(self, start_light):
        host = start_light()
        for n in (1, 2, 3):
            host.request("health", request_id="again")
            host.wait_until(lambda n=n: len(host.answers) == n, "no answer")
        assert host.finish() == 0

    def test_health_and_metrics_tell_what_is_going_on(self, busy):
        busy.request("embed_batch", BATCH)
        busy.wait_until_queued(2 + 1)
        metrics = busy.call("metrics").result
        assert metrics["in_flight"] == 4
        assert metrics["oldest_queued_ms"] > 0
        health = busy.call("health").result
        assert health["state"] == "ready"
        assert health["process"]["rss_bytes"] > 2**20

    def test_requests_while_loading_are_served_then(self, loading, gate):
        ids = [loading.request("embed", {"audio": pcm(0.1 + n / 10)}) for n in range(4)]
        assert not loading.answers
        gate.touch()
        for request_id, duration_s in zip(ids, (0.1, 0.2, 0.3, 0.4), strict=True):
            result = assert_result(loading.answer(request_id), "embedding")
            assert result["duration_s"] == pytest.approx(duration_s, abs=0.001)
        assert loading.finish() == 0
        assert_each_answered_once(loading, ids)


@pytest.mark.posix("it has signals to send")
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_like_the_end_of_the_input(busy, signum):
    second = busy.request("embed", {"audio": pcm()})
    busy.call("health")
    busy.process.send_signal(signum)
    assert time_to_end(busy.process) < 2
    assert busy.wait() == 0
    assert_error(busy.answer("first"), -32800, "cancelled")
    assert_error(busy.answer(second), -32800, "cancelled")


def test_64_requests_at_once_with_mixed_outcomes(light_argv, tmp_path):
    tone = PcmAudio(**pcm(0.1))
    too_short = PcmAudio(**pcm(0.001))
    kinds = [
        (EmbedParams(tone), "ok"),
        (EmbedParams(too_short), "too_short"),
        (EmbedParams(FileAudio(b"no audio at all")), "unsupported_format"),
        (EmbedParams(PathAudio(str(tmp_path / "absent.wav"))), "path_not_found"),
        (EmbedParams(tone, deadline_ms=0), "deadline_exceeded"),
        (EmbedBatchParams((tone, too_short)), "ok"),
        (EmbedWindowsParams(PcmAudio(**pcm(1.0)), window_s=0.5, hop_s=0.25), "ok"),
        (ScoreParams(tone, tone), "ok"),
        (HealthParams(), "ok"),
        (MetricsParams(), "ok"),
        (EmbedParams(tone, deadline_ms=-1), "invalid_params"),
    ]
    requests = [kinds[n % len(kinds)] for n in range(64)]
    with SpeakerSidecar.start(light_argv) as client:
        sent = [(client.send(params)[1], wanted) for params, wanted in requests]
        outcomes = Counter()
        for future, wanted in sent:
            try:
                future.result(PATIENCE_S)
                outcome = "ok"
            except RemoteError as error:
                outcome = error.failure.data["kind"]
            assert outcome == wanted
            outcomes[outcome] += 1
    assert outcomes.total() == 64
    assert client.process.returncode == 0


BATCH = {"items": [pcm(0.1), pcm(0.2), pcm(0.3)]}
