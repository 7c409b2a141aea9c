"""What only the gallery can answer: asked once all audio is embedded, at each desk in order."""

from __future__ import annotations

import threading

import pytest
from unit.staged_pipeline import PATIENCE_S, Stages, finish, run

from protocol.diarization import DiarizeParams
from protocol.errors import Cancelled, DeviceError, InternalError, OutOfMemory, UnknownPerson
from protocol.gallery_params import (
    EnrollParams,
    ExportPeopleParams,
    ForgetPersonParams,
    IdentifyParams,
    ImportPeopleParams,
    PeopleParams,
    PersonParams,
    RenamePersonParams,
    VerifyParams,
)
from protocol.params import PathAudio, StoredEmbedding
from protocol.streams import StreamCloseParams
from sidecar.config import Config
from sidecar.diarization.streaming import HeardStream, StreamStep
from sidecar.requests.gallery_desk import GalleryDesk
from sidecar.requests.jobs import Job
from sidecar.requests.questions import Desk, desk_of


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


RECORDING = DiarizeParams(PathAudio("/a.wav"))
VOICE = StoredEmbedding(b"", "f")
STREAM = StreamStep(HeardStream("s", None, None))
END_OF_STREAM = StreamStep(STREAM.stream, StreamCloseParams("s"))


@pytest.mark.parametrize(
    ("params", "desk"),
    [
        (STREAM, Desk.LOOKUPS),
        (END_OF_STREAM, Desk.STREAMS),
        (RECORDING, Desk.RECORDINGS),
        (PeopleParams(), Desk.LOOKUPS),
        (PersonParams("p"), Desk.LOOKUPS),
        (ExportPeopleParams(), Desk.LOOKUPS),
        (VerifyParams("p", VOICE), Desk.LOOKUPS),
        (IdentifyParams(VOICE), Desk.LOOKUPS),
        (IdentifyParams(VOICE, adapt=True), Desk.CHANGES),
        (EnrollParams("Ada"), Desk.CHANGES),
        (RenamePersonParams("p", "Ada"), Desk.CHANGES),
        (ForgetPersonParams("p"), Desk.CHANGES),
        (ImportPeopleParams(b""), Desk.CHANGES),
    ],
)
def test_who_is_asked(params, desk):
    assert desk_of(Job(1, params, 1, 0.0)) is desk


@pytest.mark.parametrize("slow", [RECORDING, ForgetPersonParams("p")])
def test_what_takes_one_desk_long_holds_up_no_other(slow):
    asked, may_answer = threading.Event(), threading.Event()

    class Slow(Asked):
        def ask(self, job):
            if job.params is slow:
                asked.set()
                assert may_answer.wait(PATIENCE_S)
            return super().ask(job)

    pipeline, stages = run(Slow, audios=[])
    pipeline.admit(Job("slow", slow, 1, 0.0), [], retry_after_ms=1)
    assert asked.wait(PATIENCE_S)
    lookups = [Job(number, PeopleParams(), 1, 0.0) for number in range(3)]
    for job in lookups:
        pipeline.admit(job, [], retry_after_ms=1)
    while len(stages.asked) < len(lookups):
        assert not pipeline.wait_until_idle(0.001)
    assert stages.asked == [0, 1, 2]
    assert not stages.is_closed
    may_answer.set()
    finish(pipeline)
    assert stages.answers.keys() == {0, 1, 2, "slow"}
    assert stages.is_closed


def test_the_gallery_is_closed_once_when_nobody_asks_any_more():
    closed = []

    class Closing(Asked):
        def close(self):
            assert len(self.asked) == 2
            closed.append(True)

    pipeline, _ = run(Closing, audios=[])
    for number, params in enumerate((RECORDING, PeopleParams())):
        pipeline.admit(Job(number, params, 1, 0.0), [], retry_after_ms=1)
    finish(pipeline)
    assert closed == [True]


@pytest.mark.parametrize(
    ("raised", "told"), [(MemoryError, OutOfMemory), (KeyError, InternalError)]
)
def test_what_fails_at_a_desk_costs_one_request(raised, told):
    class Faulty(GalleryDesk):
        def _answer(self, job):
            raise raised

    assert isinstance(Faulty(Config(), None).ask(Job(1, RECORDING, 1, 0.0)), told)
