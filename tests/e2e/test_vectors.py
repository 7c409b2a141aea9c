"""Every golden vector against running processes: the light sidecar and the real one.

Which order answers come in is free; which ones come, and how often, is not.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from raw_host import assert_each_answered_once, assert_result

from protocol.messages import Failure

FOLDER = Path(__file__).resolve().parents[2] / "protocol" / "vectors"


def load_cases():
    """(vector, the bytes to send, its meaning); a vector with cuts has a case for each."""
    for path in sorted(FOLDER.glob("*.json")):
        meaning = json.loads(path.read_text("utf-8"))
        if meaning["direction"] == "host_to_child":
            stream = path.with_suffix(".bin").read_bytes()
            for cut in meaning.get("cut_at", [None]):
                name = path.stem if cut is None else f"{path.stem}-{cut}"
                yield pytest.param(stream[:cut], meaning, id=name)


CASES = list(load_cases())


def methods_of(meaning):
    """The methods of the valid requests."""
    return [message.get("request", {}).get("method") for message in meaning["messages"]]


def goes_on(meaning):
    """Whether a process can take the next vector after this one."""
    return meaning["stream"] == "continues" and "shutdown" not in methods_of(meaning)


def told(answer):
    """An answer in the words of the vectors, without the fields of its result."""
    if isinstance(answer, Failure):
        return (answer.id, answer.code, answer.data.get("kind"))
    return (answer.id, "result", None)


def expected(meaning):
    return Counter(
        (answer["id"], answer["error"]["code"], answer["error"]["kind"])
        if "error" in answer
        else (answer["id"], "result", None)
        for answer in meaning["answers"]
    )


def assert_answers(answers, meaning):
    assert Counter(map(told, answers)) == expected(meaning)
    for wanted in meaning["answers"]:
        if "result" in wanted:
            [answer] = [a for a in answers if told(a) == (wanted["id"], "result", None)]
            assert_result(answer, *wanted["result"])


def assert_behaves(host, stream, meaning):
    """Send ``stream`` to a process of its own, wait for all answers, then end its input."""
    host.send(stream)
    host.wait_until(lambda: len(host.answers) >= len(meaning["answers"]), "not all answers came")
    assert host.finish() == meaning["exit_code"]
    assert_answers(host.answers, meaning)


@pytest.mark.parametrize(("stream", "meaning"), CASES)
def test_light_sidecar(start_light, stream, meaning):
    # Slow enough that what must be in flight still is when the next frame has been read.
    assert_behaves(start_light(LIGHT_EMBED_S="0.02"), stream, meaning)


@pytest.mark.parametrize(("stream", "meaning"), [c for c in CASES if goes_on(c.values[1])])
def test_one_ready_sidecar_takes_one_after_another(ready_sidecar, stream, meaning, request):
    if "diarize" in methods_of(meaning):
        request.getfixturevalue("segmentation_weights")
    host = ready_sidecar
    n_before = len(host.answers)
    host.send(stream)
    host.wait_until(
        lambda: len(host.answers) - n_before >= len(meaning["answers"]), "not all answers came"
    )
    # Whatever was to be said before this is answered has been said.
    last = host.request("metrics", request_id=f"after {request.node.callspec.id}"[:64])
    metrics = assert_result(host.answer(last), "in_flight")
    assert metrics["in_flight"] == 0
    assert_answers([a for a in host.answers[n_before:] if a.id != last], meaning)


@pytest.mark.parametrize(("stream", "meaning"), [c for c in CASES if not goes_on(c.values[1])])
def test_real_sidecar_of_its_own(start, sidecar_argv, stream, meaning):
    assert_behaves(start(sidecar_argv), stream, meaning)


def test_fifty_answers_of_one_process(start_light):
    """Each once, though the input ends behind the last request."""
    host = start_light()
    ids = [host.request("health") for _ in range(50)]
    assert host.finish() == 0
    assert_each_answered_once(host, ids)
