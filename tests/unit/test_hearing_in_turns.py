"""The decoder's thread hands a whole audio to the device before it listens to it."""

from __future__ import annotations

import threading
from dataclasses import replace

from unit import staged_pipeline
from unit.decoded_audio import outcomes_of, steps_of
from unit.staged_pipeline import PATIENCE_S, finish

from protocol.quality import Quality
from sidecar.audio.waveform import Decoded
from sidecar.config import DEFAULT_LIMITS
from sidecar.engine.batch_limits import ONE_BY_ONE
from sidecar.requests.jobs import Job
from sidecar.requests.pipeline import Pipeline
from sidecar.requests.scheduler import Scheduler

QUALITY = Quality(1.0, -20.0, 30.0, 0.0, 8000.0, None, ())


class Stages(staged_pipeline.Stages):
    """What comes last is in ``log``."""

    batch_limits = ONE_BY_ONE

    def __init__(self):
        super().__init__(None, n_audios=0)
        self.embedded, self.may_listen = threading.Event(), threading.Event()
        self.log = []

    def embed(self, waveforms):
        self.log.append("embedded")
        self.embedded.set()
        return ["embedding"] * len(waveforms)

    def finish(self, job):
        [item] = job.items
        self.log.append(("answered", outcomes_of(job), item.quality))

    def failed(self, error):
        raise error


class Listening(Stages):
    def decode(self, audio, params, is_given_up):
        [step] = steps_of(audio)
        yield replace(step, is_last=False, is_cut=True)
        # As long as this turn goes on, the device has nothing.
        assert self.embedded.wait(PATIENCE_S)
        self.log.append("listened")
        yield Decoded(None, is_last=True, quality=QUALITY)


def run(stages, n_audios=1):
    pipeline = Pipeline(Scheduler(DEFAULT_LIMITS), stages, stages, stages, stages)
    for number in range(n_audios):
        pipeline.admit(Job(number, None, 1, 0.0), [100], retry_after_ms=1)
    pipeline.start()
    return pipeline


def test_the_device_has_it_before_anybody_listens():
    stages = Listening()
    finish(run(stages))
    assert stages.log == ["embedded", "listened", ("answered", ["embedding"], QUALITY)]


def test_what_waits_goes_on_when_it_is_told_to_and_holds_up_nobody():
    class Waiting(Stages):
        def decode(self, audio, params, is_given_up):
            while audio == 13 and not self.may_listen.is_set():
                yield Decoded(None, until=self.may_listen.is_set)
            yield from steps_of(audio)

        def finish(self, job):
            self.log.append(job.id)
            self.embedded.set()

    stages = Waiting()
    pipeline = Pipeline(Scheduler(DEFAULT_LIMITS), stages, stages, stages, stages)
    for audio in (13, 100):
        pipeline.admit(Job(audio, None, 1, 0.0), [audio], retry_after_ms=1)
    pipeline.start()
    assert stages.embedded.wait(PATIENCE_S)
    assert stages.log == ["embedded", 100]
    stages.may_listen.set()
    pipeline.look_again()
    finish(pipeline)
    assert stages.log == ["embedded", 100, "embedded", 13]
