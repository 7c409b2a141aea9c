"""What only the gallery can answer: asked once all audio is embedded, by one thread, in order."""

from __future__ import annotations

import threading

from unit.staged_pipeline import PATIENCE_S, Stages, finish, run

from protocol.errors import Cancelled, DeviceError, UnknownPerson
from protocol.gallery_params import PeopleParams
from sidecar.requests.jobs import Job


class Asked(Stages):
    """Notes the answers of the gallery."""

    def finish(self, job):
        super().finish(job)
        self.answers[job.id] = job.answer


def test_a_question_is_asked_when_its_audio_is_embedded():
    pipeline, stages = run(Asked, audios=[100, 200], params=PeopleParams())
    finish(pipeline)
    assert stages.asked == [0, 1]
    assert stages.calls
    assert stages.answers == dict.fromkeys((0, 1), "the gallery's answer")
    assert stages.is_closed


def test_a_question_without_audio_waits_for_the_model_alone():
    opened = threading.Event()

    class Slow(Asked):
        def open(self, on_progress, should_stop):
            assert opened.wait(PATIENCE_S)
            return self

    pipeline, stages = run(Slow, audios=[])
    pipeline.admit(Job("who", PeopleParams(), 1, 0.0), [], retry_after_ms=1)
    assert not pipeline.wait_until_idle(0.02)
    assert stages.asked == []
    opened.set()
    finish(pipeline)
    assert stages.answers == {"who": "the gallery's answer"}
    assert stages.calls == []


def test_nothing_is_asked_where_the_audio_failed():
    pipeline, stages = run(Stages, audios=[100, 300], params=PeopleParams(), fits=250)
    finish(pipeline)
    assert stages.asked == [0]
    assert stages.answers.keys() == {0, 1}


def test_the_gallerys_refusal_is_the_answer():
    class Refusing(Asked):
        def ask(self, job):
            return UnknownPerson("nobody")

    pipeline, stages = run(Refusing, params=PeopleParams())
    finish(pipeline)
    assert isinstance(stages.answers[0], UnknownPerson)


def test_what_is_asked_already_is_neither_cancelled_nor_late():
    asked, may_answer = threading.Event(), threading.Event()

    class Slow(Asked):
        def ask(self, job):
            asked.set()
            assert may_answer.wait(PATIENCE_S)
            return super().ask(job)

    pipeline, stages = run(Slow, audios=[])
    pipeline.admit(Job(1, PeopleParams(), 1, 0.0, deadline_at=10.0**9), [], retry_after_ms=1)
    assert asked.wait(PATIENCE_S)
    pipeline.admit(Job(2, PeopleParams(), 1, 0.0), [], retry_after_ms=1)
    for request_id in (1, 2):
        pipeline.cancel(request_id)
    assert isinstance(stages.answers[2], Cancelled)
    assert 1 not in stages.answers
    may_answer.set()
    finish(pipeline)
    assert stages.answers[1] == "the gallery's answer"
    assert stages.asked == [1]


def test_a_fault_of_another_does_not_answer_what_is_asked():
    asked, may_answer = threading.Event(), threading.Event()

    class Slow(Asked):
        def ask(self, job):
            asked.set()
            assert may_answer.wait(PATIENCE_S)
            return super().ask(job)

    pipeline, stages = run(Slow, audios=[])
    pipeline.admit(Job(1, PeopleParams(), 1, 0.0), [], retry_after_ms=1)
    assert asked.wait(PATIENCE_S)
    pipeline.admit(Job(2, PeopleParams(), 1, 0.0), [], retry_after_ms=1)
    pipeline.fail_all(DeviceError("the card is gone"))
    assert stages.answers.keys() == {2}
    may_answer.set()
    finish(pipeline)
    assert stages.answers[1] == "the gallery's answer"


def test_a_fault_of_the_gallery_ends_the_process_rather_than_answer_nobody():
    class Faulty(Asked):
        def ask(self, job):
            raise MemoryError

    pipeline, stages = run(Faulty, params=PeopleParams())
    assert stages.ended.wait(PATIENCE_S)
    assert "gallery thread died" in stages.error.message
    pipeline.stop(PATIENCE_S)
